// Prepares a fresh checkout for `npm start` and `npm test`. Runs on Node 18 and later with nothing installed, so it
// uses Node's own modules only and is not TypeScript. Every step says what it does and how long it took; a step whose
// inputs have not changed costs nothing.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aptInstall, unpackBeside } from './debian.mjs';
import { ensureModernNode, modernNode } from './modern-node.mjs';

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
  ensureModernNode({ root: ROOT, step, run, fail, mayInstall: mayInstall() });
  generateApi();
  linkCommand();
  if (process.platform === 'linux') {
    installSystemPackages();
    bringBusybox();
    if (['test', 'bench'].includes(purpose)) bringEtcd();
    if (['test', 'conformance'].includes(purpose)) bringOpenssl();
  }
  build();
}

function installNodeModules() {
  const lock = hashOf([join(ROOT, 'package-lock.json')]);
  if (existsSync(join(ROOT, 'node_modules', '.package-lock.json')) && (readStamp('npm') ?? lock) === lock) {
    writeStamp('npm', lock);
    return;
  }
  // No install scripts: they would run on Node 26 before its libraries are there, and every binary comes prebuilt.
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  step('installing npm packages (npm ci)', () => run('npm', ['ci', ...flags], 'is the npm registry reachable?'));
  writeStamp('npm', lock);
}

function generateApi() {
  const inputs = [join(ROOT, 'scripts', 'generate-api.ts'), ...filesBelow(join(ROOT, 'src', 'api', 'facts'))];
  const hash = hashOf([...inputs, join(ROOT, 'package-lock.json')]);
  if (readStamp('api') === hash && existsSync(join(ROOT, 'src', 'api', 'generated', 'schemas.json'))) return;
  step('generating API types and schemas', () => run(modernNode(ROOT), [join(ROOT, 'scripts', 'generate-api.ts')], ''));
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
      const result = aptInstall(missing);
      if (result.status !== 0) {
        say(`apt-get could not install them: ${(result.stderr ?? '').trim().split('\n').pop()}; ${consequence}`);
      }
    });
  }
}

// The built-in images are made of a static busybox; nobody needs to be root to have one.
function bringBusybox() {
  const inside = join(ROOT, 'node_modules', '.debian', 'bin', 'busybox');
  if (existsSync('/usr/share/doc/busybox-static') || existsSync(inside) || !existsSync('/usr/bin/apt-get')) return;
  step('bringing a static busybox for the built-in images', () => unpackBeside(ROOT, 'busybox-static'));
}

// Tests of webhooks make a certificate with it.
function bringOpenssl() {
  if (['/usr/bin/openssl', '/usr/local/bin/openssl'].some((path) => existsSync(path))) return;
  if (mayInstall()) step('installing openssl for the tests', () => aptInstall(['openssl']));
  if (!existsSync('/usr/bin/openssl')) say('openssl is missing: the conformance tests of webhooks are skipped');
}

// Tests run an etcd of their own. Installed as a package it would start as a service of the machine: so only its files
// are brought. Without them the tests that need it say that they were skipped.
function bringEtcd() {
  const inside = join(ROOT, 'node_modules', '.debian', 'usr', 'bin', 'etcd');
  const isThere = ['/usr/bin/etcd', '/usr/local/bin/etcd', inside].some((path) => existsSync(path));
  if (isThere || process.env.TIPHYS_NO_INSTALL === '1' || !existsSync('/usr/bin/apt-get')) return;
  step('bringing etcd for the tests', () => unpackBeside(ROOT, 'etcd-server'));
  if (!existsSync(inside)) say('apt-get could not bring etcd-server; the tests that need etcd are skipped');
}

// With it `npx tiphys` is this checkout, at once and on any Node.
function linkCommand() {
  const link = join(ROOT, 'node_modules', '.bin', 'tiphys');
  if (process.platform !== 'win32' && !existsSync(link)) symlinkSync(join('..', '..', 'bin', 'tiphys.mjs'), link);
}

/** System packages are installed by root only, where apt-get is, and where nobody forbade it. */
function mayInstall() {
  return process.env.TIPHYS_NO_INSTALL !== '1' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
}

function build() {
  const inputs = [join(ROOT, 'scripts', 'build.ts'), join(ROOT, 'package-lock.json'), ...filesBelow(join(ROOT, 'src'))];
  const hash = hashOf(inputs.filter((path) => !path.endsWith('.test.ts')));
  if (readStamp('build') === hash && existsSync(join(ROOT, 'dist', 'cli.mjs'))) return;
  step('building dist/', () => run(modernNode(ROOT), [join(ROOT, 'scripts', 'build.ts')], ''));
  writeStamp('build', hash);
}

function step(title, action) {
  const started = Date.now();
  process.stderr.write(`[setup] ${title} …`);
  action();
  process.stderr.write(` done in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

function run(command, args, hint, options = {}) {
  const result = spawnSync(command, args, {
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
