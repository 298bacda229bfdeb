// Brings Node 26 into node_modules from the npm package `node`, and makes sure that it runs: its binary needs
// libatomic, which a small Debian does not have. Runs on Node 18 and later with nothing installed.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { aptInstall, unpackBeside } from './debian.mjs';

/** Shared libraries that the binary may miss, and Debian's packages that hold them. */
const LIBRARY_PACKAGES = {
  'libatomic.so.1': 'libatomic1',
  'libstdc++.so.6': 'libstdc++6',
  'libgcc_s.so.1': 'libgcc-s1',
};

/**
 * @param {string} root the checkout
 * @returns {string} where its Node 26 is, or will be
 */
export function modernNode(root) {
  return join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

/** @param {{root: string, step: Function, run: Function, fail: Function, mayInstall: boolean}} setup */
export function ensureModernNode({ root, step, run, fail, mayInstall }) {
  const node = modernNode(root);
  if (!existsSync(node)) {
    const folder = join(root, 'node_modules', 'node');
    const script = join(folder, 'installArchSpecificPackage.js');
    step('unpacking Node 26', () => run(process.execPath, [script], 'is the npm registry reachable?', { cwd: folder }));
    if (!existsSync(node)) fail(`Node 26 is missing at ${node}; remove node_modules and run again`);
  }
  linkIntoPath(root);
  for (let library = missingLibrary(node, fail); library !== undefined; ) {
    const name = LIBRARY_PACKAGES[library];
    if (name === undefined) fail(`Node 26 needs ${library}, which this machine lacks; install it and run again`);
    step(`bringing ${library} for Node 26`, () => {
      if (mayInstall && aptInstall([name]).status === 0) return;
      wrap(root, unpackBeside(root, name));
    });
    const still = missingLibrary(node, fail);
    if (still === library) {
      fail(`Node 26 needs ${library}; install Debian's package ${name} (apt-get install ${name}) and run again`);
    }
    library = still;
  }
}

// npm links the command only where the binary was there when it looked.
function linkIntoPath(root) {
  const link = join(root, 'node_modules', '.bin', 'node');
  if (process.platform === 'win32' || existsSync(link)) return;
  mkdirSync(dirname(link), { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(join('..', 'node', 'bin', 'node'), link);
}

function missingLibrary(node, fail) {
  const result = spawnSync(node, ['--version'], { encoding: 'utf8' });
  if (result.status === 0) return undefined;
  const output = `${result.stderr ?? ''}${result.error?.message ?? ''}`;
  const library = /shared libraries: (\S+): cannot open/.exec(output)?.[1];
  if (library === undefined) fail(`Node 26 from npm does not run here: ${output.trim()}`);
  return library;
}

function wrap(root, folder) {
  const libraries = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.name.includes('.so'))
    .map((entry) => entry.parentPath ?? entry.path);
  if (libraries.length === 0) return;
  const node = modernNode(root);
  const real = `${node}.bin`;
  if (!existsSync(real)) renameSync(node, real);
  const path = [...new Set(libraries)].join(':');
  const lines = ['#!/bin/sh', `export LD_LIBRARY_PATH="${path}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"`];
  writeFileSync(node, `${lines.join('\n')}\nexec "${real}" "$@"\n`);
  chmodSync(node, 0o755);
}
