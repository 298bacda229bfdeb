import { lstat, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ConfigMap, Pod, Secret, Volume } from '#api/generated/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { NodeFiles } from '../host/node-files.ts';
import { PortableHost } from '../host/portable-host.ts';
import { FakeApi } from '../kubelet/testing/fake-api.ts';
import { resolveSubPath } from './sub-path.ts';
import { PodTokens } from './tokens.ts';
import { HostVolumes } from './volumes.ts';

let directory: string;
let clock: VirtualClock;
let api: FakeApi;
let volumes: HostVolumes;
const configMaps = new Map<string, ConfigMap>();
const secrets = new Map<string, Secret>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tiphys-volumes-'));
  clock = new VirtualClock();
  api = new FakeApi(clock);
  configMaps.clear();
  secrets.clear();
  const tokens = new PodTokens({ client: api, clock });
  volumes = new HostVolumes({
    host: new PortableHost(),
    clock,
    podsDirectory: join(directory, 'pods'),
    sources: () => ({
      configMap: async (_, name) => configMaps.get(name),
      secret: async (_, name) => secrets.get(name),
      downward: (_, item) => `value of ${item.fieldRef?.fieldPath ?? ''}`,
      tokens,
    }),
  });
});

afterEach(() => rm(directory, { recursive: true, force: true }));

function podWith(volume: Volume, more: Partial<Pod['spec']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', uid: 'u1' },
    spec: {
      containers: [{ name: 'main', volumeMounts: [{ name: volume.name, mountPath: '/data' }] }],
      volumes: [volume],
      ...more,
    },
  };
}

const NOWHERE = { podIps: [], hostIps: [] };

async function prepare(pod: Pod): Promise<string> {
  const prepared = await volumes.prepare(pod, NOWHERE);
  return prepared.mounts.get(pod.spec.volumes?.[0]?.name ?? '')?.hostPath ?? '';
}

function configMap(data: Record<string, string>): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data };
}

describe('HostVolumes', () => {
  test('writes a configMap behind a link and replaces all of it at once', async () => {
    configMaps.set('settings', configMap({ a: '1', b: '2' }));
    const pod = podWith({ name: 'v', configMap: { name: 'settings', defaultMode: 0o640 } });
    const path = await prepare(pod);
    expect((await readdir(path)).filter((name) => !name.startsWith('..'))).toEqual(['a', 'b']);
    expect(await readFile(join(path, 'a'), 'utf8')).toBe('1');
    expect((await stat(join(path, 'a'))).mode & 0o777).toBe(0o640);
    expect(await readlink(join(path, 'a'))).toBe('..data/a');
    const version = await readlink(join(path, '..data'));
    configMaps.set('settings', configMap({ a: 'new', c: '3' }));
    await prepare(pod);
    expect(await readlink(join(path, '..data'))).not.toBe(version);
    expect((await readdir(path)).filter((name) => !name.startsWith('..'))).toEqual(['a', 'c']);
    expect(await readFile(join(path, 'a'), 'utf8')).toBe('new');
    expect(await readdir(path)).not.toContain(version);
  });

  test('leaves unchanged contents alone', async () => {
    configMaps.set('settings', configMap({ a: '1' }));
    const pod = podWith({ name: 'v', configMap: { name: 'settings' } });
    const path = await prepare(pod);
    const before = await readlink(join(path, '..data'));
    await prepare(pod);
    expect(await readlink(join(path, '..data'))).toBe(before);
  });

  test('puts items at their paths with their modes', async () => {
    secrets.set('keys', {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'keys' },
      data: { tls: Buffer.from('pem').toString('base64'), other: '' },
    });
    const items = [{ key: 'tls', path: 'deep/down/cert.pem', mode: 0o400 }];
    const path = await prepare(podWith({ name: 'v', secret: { secretName: 'keys', items } }));
    expect(await readFile(join(path, 'deep/down/cert.pem'), 'utf8')).toBe('pem');
    expect((await stat(join(path, 'deep/down/cert.pem'))).mode & 0o777).toBe(0o400);
    expect((await readdir(path)).filter((name) => !name.startsWith('..'))).toEqual(['deep']);
  });

  test.each([
    ['a missing configMap', { name: 'v', configMap: { name: 'none' } }, 'configmap "none" not found'],
    ['a missing secret', { name: 'v', secret: { secretName: 'none' } }, 'secret "none" not found'],
    [
      'a hostPath of another type',
      { name: 'v', hostPath: { path: '/', type: 'File' } },
      'hostPath type check failed: / is not a file',
    ],
    [
      'a path that climbs out',
      { name: 'v', downwardAPI: { items: [{ path: '../x', fieldRef: { fieldPath: 'metadata.name' } }] } },
      "must not contain or start with '..'",
    ],
  ])('refuses %s', async (_name, volume: Volume, message) => {
    await expect(prepare(podWith(volume))).rejects.toThrow(message);
  });

  test('makes an empty volume of what is optional and absent', async () => {
    const path = await prepare(podWith({ name: 'v', configMap: { name: 'none', optional: true } }));
    expect((await readdir(path)).filter((name) => !name.startsWith('..'))).toEqual([]);
  });

  test('projects sources together, with a token that is renewed at four fifths of its life', async () => {
    let issued = 0;
    api.onSubresource = (name, subresource, body) => {
      expect([name, subresource]).toEqual([{ namespace: 'default', name: 'robot' }, 'token']);
      issued += 1;
      const expirationTimestamp = formatTime(clock.now() + 1_000_000);
      return { ...body, status: { token: `token-${issued}`, expirationTimestamp } } as typeof body;
    };
    configMaps.set('settings', configMap({ 'ca.crt': 'CA' }));
    const sources = [
      { serviceAccountToken: { path: 'token', expirationSeconds: 1000 } },
      { configMap: { name: 'settings' } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
    ];
    const pod = podWith({ name: 'v', projected: { sources } }, { serviceAccountName: 'robot' });
    const prepared = await volumes.prepare(pod, NOWHERE);
    const path = prepared.mounts.get('v')?.hostPath ?? '';
    expect(await readFile(join(path, 'token'), 'utf8')).toBe('token-1');
    expect(await readFile(join(path, 'ca.crt'), 'utf8')).toBe('CA');
    expect(await readFile(join(path, 'namespace'), 'utf8')).toBe('value of metadata.namespace');
    expect((prepared.refreshAtMs ?? 0) - clock.now()).toBe(800_000);
    await prepare(pod);
    expect(issued).toBe(1);
  });

  test('gives an emptyDir to everyone, keeps its contents, and removes it with the pod', async () => {
    const pod = podWith({ name: 'v', emptyDir: { medium: 'Memory' } });
    const path = await prepare(pod);
    expect((await stat(path)).mode & 0o777).toBe(0o777);
    await writeFile(join(path, 'kept'), 'x');
    await prepare(pod);
    expect(await readFile(join(path, 'kept'), 'utf8')).toBe('x');
    expect(await volumes.list()).toEqual(['u1']);
    await volumes.release('u1');
    expect(await lstat(path).catch(() => 'gone')).toBe('gone');
  });

  test('opens a volume to the pod group', async () => {
    configMaps.set('settings', configMap({ a: '1' }));
    const group = process.getgid?.() ?? 0;
    const volume = { name: 'v', configMap: { name: 'settings', defaultMode: 0o400 } };
    const path = await prepare(podWith(volume, { securityContext: { fsGroup: group } }));
    const info = await stat(join(path, 'a'));
    expect(info.gid).toBe(group);
    expect(info.mode & 0o060).toBe(0o060);
  });
});

describe('resolveSubPath', () => {
  const files = new NodeFiles();

  test('makes what is missing and follows links that stay inside', async () => {
    await files.makeDirectory(join(directory, 'v/real'));
    await symlink('real', join(directory, 'v/link'));
    const root = await files.realPath(join(directory, 'v'));
    expect(await resolveSubPath(files, join(directory, 'v'), 'link/new')).toBe(`${root}/real/new`);
    expect((await stat(`${root}/real/new`)).isDirectory()).toBe(true);
  });

  test.each([
    ['an absolute path', '/etc', 'must be relative'],
    ['a path upwards', 'a/../../etc', 'must be relative'],
    ['a link upwards', 'up/etc', 'is not within volume path'],
    ['a link to the host', 'root/etc', 'is not within volume path'],
    ['a link in a circle', 'circle/x', 'too many levels'],
  ])('refuses %s', async (_name, subPath, message) => {
    await files.makeDirectory(join(directory, 'v'));
    await symlink('../..', join(directory, 'v/up'));
    await symlink('/', join(directory, 'v/root'));
    await symlink('circle', join(directory, 'v/circle'));
    await expect(resolveSubPath(files, join(directory, 'v'), subPath)).rejects.toThrow(message);
  });
});
