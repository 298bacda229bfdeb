import { link, mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { copyTree } from './copy-tree.ts';

test('copyTree keeps modes, symbolic links and files with several names', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tiphys-copy-test-'));
  const [from, to] = [join(directory, 'from'), join(directory, 'to')];
  await mkdir(join(from, 'bin'), { recursive: true });
  await writeFile(join(from, 'bin/busybox'), 'program', { mode: 0o755 });
  await link(join(from, 'bin/busybox'), join(from, 'bin/sh'));
  await symlink('bin', join(from, 'sbin'));
  await copyTree(from, to);
  const [first, second] = await Promise.all([stat(join(to, 'bin/busybox')), stat(join(to, 'bin/sh'))]);
  expect(first.ino).toBe(second.ino);
  expect(first.ino).not.toBe((await stat(join(from, 'bin/sh'))).ino);
  expect(first.mode & 0o777).toBe(0o755);
  expect(await readlink(join(to, 'sbin'))).toBe('bin');
  expect(await readFile(join(to, 'sbin/sh'), 'utf8')).toBe('program');
  await rm(directory, { recursive: true });
});
