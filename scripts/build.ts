import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Bundles the command and the library into `dist/`; native and dynamically loading packages stay outside. */
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const EXTERNAL = ['lmdb', '@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs', 'pino'];

// What CommonJS packages inside an ESM bundle expect to find.
const BANNER = [
  "import { createRequire as __createRequire } from 'node:module';",
  "import { fileURLToPath as __fileURLToPath } from 'node:url';",
  "import { dirname as __pathDirname } from 'node:path';",
  'const require = __createRequire(import.meta.url);',
  'const __filename = __fileURLToPath(import.meta.url);',
  'const __dirname = __pathDirname(__filename);',
].join('');

rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
mkdirSync(join(ROOT, 'dist'));
const shared = {
  bundle: true,
  platform: 'node',
  target: 'node22',
  external: EXTERNAL,
  sourcemap: 'linked',
  logLevel: 'warning',
  absWorkingDir: ROOT,
  loader: { '.json': 'json' },
} as const;
await build({
  ...shared,
  entryPoints: {
    cli: 'src/cli/main.ts',
    index: 'src/cluster/index.ts',
    'process-supervisor': 'src/node/runtime/process/supervisor/main.ts',
  },
  outdir: 'dist',
  format: 'esm',
  splitting: true,
  outExtension: { '.js': '.mjs' },
  banner: { js: BANNER },
});
await build({
  ...shared,
  entryPoints: { index: 'src/cluster/index.ts' },
  outdir: 'dist',
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  define: { 'import.meta.url': '__importMetaUrl' },
  banner: { js: "const __importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
});
