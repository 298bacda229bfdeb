import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

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

/**
 * Importing `node:http` as a module reads all its exports, one of which loads the whole of fetch: 40 ms and some
 * megabytes for nothing. Asked for as a builtin it does not.
 */
const lazyHttp: Plugin = {
  name: 'lazy-http',
  setup(build) {
    build.onResolve({ filter: /^node:https?$/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'builtin' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('${path}');`,
      loader: 'js',
    }));
  },
};

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
  // Safe: a copy that esbuild may take as its own.
  plugins: [lazyHttp] as Plugin[],
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
