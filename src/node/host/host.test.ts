import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeFiles } from './fake-host.ts';
import type { HostFiles } from './host.ts';
import { cpuWeight, openLinuxCgroups } from './linux-cgroups.ts';
import { LinuxHost } from './linux-host.ts';
import { NodeFiles } from './node-files.ts';
import { PortableHost } from './portable-host.ts';

const V1_FILES = ['cpu.shares', 'cpu.cfs_period_us', 'cpu.cfs_quota_us']
  .map((file) => `cpu/kubepods/pod1/${file}`)
  .concat('memory/kubepods/pod1/memory.limit_in_bytes', 'pids/kubepods/pod1/pids.max');
const V2_FILES = ['cgroup.subtree_control', 'cpu.weight', 'cpu.max', 'memory.max', 'pids.max'];
/** Where this machine really has version 2, also beside version 1; undefined without the right to use it. */
const realV2Root = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find(
  (root) => process.getuid?.() === 0 && existsSync(join(root, 'cgroup.controllers')) && isWritable(root),
);

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tiphys-host-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

describe.each<[string, () => HostFiles]>([
  ['NodeFiles', () => new NodeFiles()],
  ['FakeFiles', () => new FakeFiles()],
])('%s', (_name, make) => {
  test('writes, reads, lists, renames and removes', async () => {
    const files = make();
    await files.makeDirectory(join(directory, 'a/b'));
    await files.write(join(directory, 'a/b/x'), 'one', { mode: 0o640 });
    await files.writeAtomic(join(directory, 'a/b/x'), 'two', { mode: 0o600 });
    expect(Buffer.from(await files.read(join(directory, 'a/b/x'))).toString()).toBe('two');
    expect(await files.stat(join(directory, 'a/b/x'))).toMatchObject({ type: 'file', mode: 0o600, sizeBytes: 3 });
    expect(await files.list(join(directory, 'a/b'))).toEqual(['x']);
    await files.rename(join(directory, 'a/b'), join(directory, 'a/c'));
    expect(await files.list(join(directory, 'a'))).toEqual(['c']);
    await files.remove(join(directory, 'a'));
    await files.remove(join(directory, 'a'));
    expect(await files.stat(join(directory, 'a'))).toBeUndefined();
  });

  test('follows a link with stat and not with lstat', async () => {
    const files = make();
    await files.makeDirectory(join(directory, 'real'));
    await files.symlink('real', join(directory, 'link'));
    expect((await files.stat(join(directory, 'link')))?.type).toBe('directory');
    expect((await files.lstat(join(directory, 'link')))?.type).toBe('symlink');
    expect(await files.readLink(join(directory, 'link'))).toBe('real');
    await files.symlink('nowhere', join(directory, 'broken'));
    expect(await files.stat(join(directory, 'broken'))).toBeUndefined();
  });

  test('says with a code that nothing is there', async () => {
    const files = make();
    await expect(files.read(join(directory, 'none/x'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(files.list(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('reads an open file by ranges', async () => {
    const files = make();
    await files.makeDirectory(directory);
    await files.write(join(directory, 'x'), 'abcdef');
    await using file = await files.open(join(directory, 'x'));
    expect(Buffer.from(await file.read(2, 3)).toString()).toBe('cde');
    expect((await file.read(6, 3)).length).toBe(0);
  });
});

describe('control groups', () => {
  test('of version 1 are made in each hierarchy, with cpuset inherited', async () => {
    for (const controller of ['cpu', 'memory', 'cpuset', 'pids']) await mkdir(join(directory, controller));
    await writeFile(join(directory, 'cpuset/cpuset.cpus'), '0-1\n');
    await writeFile(join(directory, 'cpuset/cpuset.mems'), '0\n');
    for (const level of ['cpuset/kubepods', 'cpuset/kubepods/pod1']) {
      await mkdir(join(directory, level));
      for (const file of ['cpuset.cpus', 'cpuset.mems']) await writeFile(join(directory, level, file), '');
    }
    for (const file of V1_FILES) {
      await mkdir(join(directory, file, '..'), { recursive: true });
      await writeFile(join(directory, file), '');
    }
    const groups = openLinuxCgroups(directory, { isWritable: true });
    expect(groups.version).toBe(1);
    const limits = { cpuShares: 512, cpuQuotaMicros: 50_000, cpuPeriodMicros: 100_000, memoryBytes: 1024, pidsMax: 10 };
    await groups.create('/kubepods/pod1', limits);
    const at = (path: string) => readFile(join(directory, path), 'utf8');
    expect(await at('cpu/kubepods/pod1/cpu.shares')).toBe('512');
    expect(await at('cpu/kubepods/pod1/cpu.cfs_quota_us')).toBe('50000');
    expect(await at('memory/kubepods/pod1/memory.limit_in_bytes')).toBe('1024');
    expect(await at('pids/kubepods/pod1/pids.max')).toBe('10');
    expect(await at('cpuset/kubepods/pod1/cpuset.cpus')).toBe('0-1');
    expect(await groups.list('/kubepods')).toEqual(['pod1']);
  });

  test('of version 2 hand controllers down and take weights', async () => {
    await writeFile(join(directory, 'cgroup.controllers'), 'cpu memory pids\n');
    for (const level of ['', 'kubepods', 'kubepods/pod1']) {
      await mkdir(join(directory, level), { recursive: true });
      await writeFile(join(directory, level, 'cgroup.controllers'), 'cpu memory pids\n');
      for (const file of V2_FILES) await writeFile(join(directory, level, file), '');
    }
    const groups = openLinuxCgroups(directory, { isWritable: true });
    expect(groups.version).toBe(2);
    await groups.create('/kubepods/pod1', { cpuShares: 1024, cpuQuotaMicros: -1, memoryBytes: 1024 });
    const at = (path: string) => readFile(join(directory, path), 'utf8');
    expect(await at('cgroup.subtree_control')).toMatch(/^\+/);
    expect(await at('kubepods/pod1/cpu.weight')).toBe('100');
    expect(await at('kubepods/pod1/cpu.max')).toBe('max 100000');
    expect(await at('kubepods/pod1/memory.max')).toBe('1024');
  });

  test.skipIf(realV2Root === undefined)('of version 2 do for real what they say', async () => {
    const outer = join(realV2Root ?? '', `tiphys-test-${process.pid}`);
    await mkdir(outer);
    const controllers = (await readFile(join(outer, 'cgroup.controllers'), 'utf8')).trim();
    // As inside a container: the root that is seen has a process.
    const child = spawn('sleep', ['100']);
    const ended = once(child, 'exit');
    try {
      await writeFile(join(outer, 'cgroup.procs'), String(child.pid));
      const groups = openLinuxCgroups(outer, { isWritable: true });
      expect(groups.version).toBe(2);
      await groups.create('/kubepods/pod1', {
        cpuShares: 512,
        cpuQuotaMicros: 50_000,
        memoryBytes: 2 ** 26,
        pidsMax: 9,
      });
      expect(await groups.list('/kubepods')).toEqual(['pod1']);
      // Where there are controllers to hand down, the process had to give way to them.
      expect(await groups.pids(controllers === '' ? '/' : '/init')).toEqual([child.pid]);
      await expect(groups.remove('/')).rejects.toThrow('EBUSY');
    } finally {
      await writeFile(join(outer, 'cgroup.kill'), '1');
      await ended;
      await openLinuxCgroups(realV2Root ?? '', { isWritable: true }).remove(`/tiphys-test-${process.pid}`);
    }
    expect(child.signalCode).toBe('SIGKILL');
    expect(existsSync(outer)).toBe(false);
  });

  test('are none where there are none or they may not be changed', () => {
    expect(openLinuxCgroups(directory, { isWritable: true }).version).toBe(0);
    expect(new LinuxHost({ isRoot: false }).cgroups.version).toBe(0);
    expect(new LinuxHost({ isRoot: false }).mounts.canMount).toBe(false);
  });

  test.each([
    [2, 1],
    [1024, 100],
    [512, 59],
    [262_144, 10_000],
    [0, 1],
  ])('turn %i shares into weight %i', (shares, weight) => {
    expect(cpuWeight(shares)).toBe(weight);
  });
});

test('a host tells of its machine', async () => {
  const machine = await new PortableHost().facts.machine();
  expect(machine.cpuCount).toBeGreaterThan(0);
  expect(machine.memoryBytes).toBeGreaterThan(0);
  expect(machine.addresses.length).toBeGreaterThan(0);
  const disk = await new PortableHost().facts.diskUsage(directory);
  expect(disk.totalBytes).toBeGreaterThanOrEqual(disk.availableBytes);
  await symlink(directory, join(directory, 'self'));
  expect((await stat(join(directory, 'self'))).isDirectory()).toBe(true);
});

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
