// Prepares a fresh checkout for `npm start` and `npm test`. Runs on Node 18 and later with nothing installed, so it
// uses Node's own modules only and is not TypeScript. Every step says what it does and how long it took; a step whose
// inputs have not changed costs nothing.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const STAMPS = join(ROOT, 'node_modules', '.tiphys-setup');
const SYSTEM_PACKAGES = [
  ['containerd', ['/usr/bin/containerd', '/usr/local/bin/containerd']],
  ['runc', ['/usr/sbin/runc', '/usr/bin/runc', '/usr/local/sbin/runc', '/usr/local/bin/runc']],
  ['containernetworking-plugins', ['/usr/lib/cni/bridge', '/opt/cni/bin/bridge']],
  ['nftables', ['/usr/sbin/nft', '/sbin/nft']],
  ['iproute2', ['/usr/sbin/ip', '/sbin/ip', '/bin/ip', '/usr/bin/ip']],
  ['busybox-static', ['/usr/share/doc/busybox-static']],
];

const purpose = process.argv[2] ?? 'start';
main();

function main() {
  installNodeModules();
  ensureModernNode();
  generateApi();
  if (process.platform === 'linux') installSystemPackages();
  build();
}

function installNodeModules() {
  const lock = hashOf([join(ROOT, 'package-lock.json')]);
  if (existsSync(join(ROOT, 'node_modules', '.package-lock.json')) && (readStamp('npm') ?? lock) === lock) {
    writeStamp('npm', lock);
    return;
  }
  step('installing npm packages (npm ci)', () =>
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], 'is the npm registry reachable?'),
  );
  writeStamp('npm', lock);
}

/** The npm package `node` brings Node 26; its install script is run here where npm was told not to run scripts. */
function ensureModernNode() {
  if (existsSync(modernNode())) return;
  step('unpacking Node 26', () =>
    run(process.execPath, [join('node_modules', 'node', 'installArchSpecificPackage.js')], 'see the output above', {
      cwd: join(ROOT, 'node_modules', 'node'),
      script: join(ROOT, 'node_modules', 'node', 'installArchSpecificPackage.js'),
    }),
  );
  if (!existsSync(modernNode())) fail(`Node 26 is missing at ${modernNode()}; remove node_modules and run again`);
}

function generateApi() {
  const inputs = [join(ROOT, 'scripts', 'generate-api.ts'), ...filesBelow(join(ROOT, 'src', 'api', 'facts'))];
  const hash = hashOf([...inputs, join(ROOT, 'package-lock.json')]);
  if (readStamp('api') === hash && existsSync(join(ROOT, 'src', 'api', 'generated', 'schemas.json'))) return;
  step('generating API types and schemas', () => run(modernNode(), [join(ROOT, 'scripts', 'generate-api.ts')], ''));
  writeStamp('api', hash);
}

function installSystemPackages() {
  const missing = SYSTEM_PACKAGES.filter(([, paths]) => !paths.some((path) => existsSync(path))).map(([name]) => name);
  if (missing.length === 0) return;
  const consequence = 'without them pods run as host processes (--runtime process) instead of containers';
  if (process.env.TIPHYS_NO_INSTALL === '1') {
    say(`not installed (TIPHYS_NO_INSTALL=1): ${missing.join(', ')}; ${consequence}`);
  } else if (process.getuid?.() !== 0) {
    say(`not installed (needs root): ${missing.join(', ')}; ${consequence}`);
  } else if (!existsSync('/usr/bin/apt-get')) {
    say(`not installed (no apt-get here): ${missing.join(', ')}; ${consequence}`);
  } else {
    step(`installing ${missing.join(', ')}`, () => {
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
      const install = ['install', '-y', '--no-install-recommends', ...missing];
      if (spawnSync('apt-get', install, { env, stdio: 'ignore' }).status === 0) return;
      spawnSync('apt-get', ['update'], { env, stdio: 'ignore' });
      const result = spawnSync('apt-get', install, { env, encoding: 'utf8' });
      if (result.status !== 0) {
        say(`apt-get could not install them: ${(result.stderr ?? '').trim().split('\n').pop()}; ${consequence}`);
      }
    });
  }
}

function build() {
  const inputs = [join(ROOT, 'scripts', 'build.ts'), join(ROOT, 'package-lock.json'), ...filesBelow(join(ROOT, 'src'))];
  const hash = hashOf(inputs.filter((path) => !path.endsWith('.test.ts')));
  if (readStamp('build') === hash && existsSync(join(ROOT, 'dist', 'cli.mjs'))) return;
  step('building dist/', () => run(modernNode(), [join(ROOT, 'scripts', 'build.ts')], ''));
  writeStamp('build', hash);
}

function modernNode() {
  return join(ROOT, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

function step(title, action) {
  const started = Date.now();
  process.stderr.write(`[setup] ${title} …`);
  action();
  process.stderr.write(` done in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

function run(command, args, hint, options = {}) {
  const result = spawnSync(command, options.script ? [options.script] : args, {
    cwd: options.cwd ?? ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === 'win32' && command === 'npm',
  });
  if (result.status === 0) return;
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim();
  fail(
    `\n${output}\ncannot run ${command} ${args.join(' ')}${result.error ? `: ${result.error.message}` : ''}\n${hint}`,
  );
}

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => statSync(path).isFile())
    .sort();
}

function hashOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths) if (existsSync(path)) hash.update(path.slice(ROOT.length)).update(readFileSync(path));
  return hash.digest('hex');
}

function readStamp(name) {
  const path = join(STAMPS, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function writeStamp(name, value) {
  mkdirSync(STAMPS, { recursive: true });
  writeFileSync(join(STAMPS, name), value);
}

function say(text) {
  process.stderr.write(`[setup] ${text}\n`);
}

function fail(text) {
  process.stderr.write(`${text}\n[setup] ${purpose} cannot go on\n`);
  process.exit(1);
}
