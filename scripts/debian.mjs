// Debian's packages for the set-up: installed by root, unpacked into node_modules by everybody else.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Installs Debian packages; reads the lists anew only where that is needed.
 * @param {string[]} names
 */
export function aptInstall(names) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '--no-install-recommends', ...names];
  const first = spawnSync('apt-get', install, { env, encoding: 'utf8' });
  if (first.status === 0) return first;
  spawnSync('apt-get', ['update'], { env, stdio: 'ignore' });
  return spawnSync('apt-get', install, { env, encoding: 'utf8' });
}

/**
 * Without root (or where nothing may be installed) the files of a package go into node_modules: apt-get downloads it
 * with lists and a cache of its own. Whoever needs a file looks whether it has come.
 * @param {string} root the checkout
 * @param {string} name
 * @returns {string} the folder with the package's files
 */
export function unpackBeside(root, name) {
  const folder = join(root, 'node_modules', '.debian');
  const work = join(folder, 'apt');
  for (const path of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(work, path), { recursive: true });
  const options = [
    '-o',
    `Dir::State::Lists=${work}/lists`,
    '-o',
    `Dir::Cache=${work}/cache`,
    '-o',
    'APT::Sandbox::User=',
  ];
  spawnSync('apt-get', [...options, 'update'], { stdio: 'ignore' });
  spawnSync('apt-get', [...options, 'download', name], { cwd: work, stdio: 'ignore' });
  for (const file of existsSync(work) ? readdirSync(work) : []) {
    if (file.endsWith('.deb')) spawnSync('dpkg-deb', ['-x', join(work, file), folder], { stdio: 'ignore' });
  }
  rmSync(work, { recursive: true, force: true });
  return folder;
}
