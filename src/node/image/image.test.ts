import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { buildImage } from './build-image.ts';
import { ImageStore } from './image-store.ts';
import { packEntries } from './layer-tar.ts';
import { buildBusyboxImage, buildPauseImage } from './local-images.ts';
import { normalizeReference } from './reference.ts';
import { unpackLayer } from './unpack-layer.ts';

const BUSYBOX = '/usr/bin/busybox';
let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tiphys-image-test-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('normalizeReference', () => {
  test.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36'],
    ['team/web', 'docker.io/team/web:latest'],
    ['localhost/web:1', 'localhost/web:1'],
    ['localhost:5000/a/b', 'localhost:5000/a/b:latest'],
    ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10'],
    [`a@sha256:${'0'.repeat(64)}`, `docker.io/library/a@sha256:${'0'.repeat(64)}`],
    ['Busybox', undefined],
    ['a b', undefined],
    ['', undefined],
  ])('%s is %s', (text, expected) => {
    expect(normalizeReference(text)).toBe(expected);
  });
});

describe('buildImage', () => {
  test('builds a directory into an image that loads and keeps files, links, modes and flags', async () => {
    const source = join(directory, 'source');
    await mkdir(join(source, 'www'), { recursive: true });
    await writeFile(join(source, 'www/index.html'), 'hello', { mode: 0o640 });
    await symlink('index.html', join(source, 'www/home'));
    const output = join(directory, 'web.tar');
    const built = await buildImage({
      source: { type: 'directory', path: source },
      flags: {
        entrypoint: ['/bin/web'],
        cmd: ['-v'],
        env: ['A=b=c'],
        workdir: '/www',
        ports: ['8080', '53/udp'],
        user: '7',
      },
      name: 'web:2',
      output,
    });
    const again = await buildImage({
      source: { type: 'directory', path: source },
      flags: {},
      name: 'web:2',
      output: `${output}2`,
    });
    expect(again.id).not.toBe(built.id);
    const store = new ImageStore(join(directory, 'store'));
    expect(await store.load(output)).toEqual(['docker.io/library/web:2']);
    const image = await store.find('web:2');
    expect(image?.id).toBe(built.id);
    expect(image?.config.config).toEqual({
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'A=b=c'],
      Entrypoint: ['/bin/web'],
      Cmd: ['-v'],
      WorkingDir: '/www',
      User: '7',
      ExposedPorts: { '8080/tcp': {}, '53/udp': {} },
    });
    const file = join(image!.rootfs, 'www/index.html');
    expect(await readFile(file, 'utf8')).toBe('hello');
    expect((await stat(file)).mode & 0o777).toBe(0o640);
    expect(await readlink(join(image!.rootfs, 'www/home'))).toBe('index.html');
    expect(await store.find(`web@${built.manifestDigest}`)).toMatchObject({ id: built.id });
  });

  test('gives the same digests for the same input', async () => {
    const entries = [{ type: 'file', path: 'a', content: 'x' }] as const;
    const build = (name: string): ReturnType<typeof buildImage> =>
      buildImage({ source: { type: 'entries', entries }, flags: {}, name: 'a', output: join(directory, name) });
    const [first, second] = [await build('1.tar'), await build('2.tar')];
    expect(first).toEqual(second);
  });

  test('takes a gzip tar as its layer', async () => {
    await writeFile(join(directory, 'hello.txt'), 'hi');
    execFileSync('tar', ['-czf', join(directory, 'layer.tgz'), '-C', directory, 'hello.txt']);
    const output = join(directory, 'a.tar');
    await buildImage({ source: { type: 'tar', path: join(directory, 'layer.tgz') }, flags: {}, name: 'a', output });
    const store = new ImageStore(join(directory, 'store'));
    await store.load(output);
    expect(await readFile(join((await store.find('a'))!.rootfs, 'hello.txt'), 'utf8')).toBe('hi');
  });

  test.each([
    [{ name: 'A B', flags: {} }, 'invalid reference format'],
    [{ name: 'a', flags: { ports: ['x'] } }, 'port x is not NUMBER'],
    [{ name: 'a', flags: { env: ['x'] } }, 'is not NAME=value'],
  ])('refuses %j', async (options, message) => {
    const source = { type: 'entries', entries: [] } as const;
    await expect(buildImage({ ...options, source, output: join(directory, 'x') })).rejects.toThrow(message);
  });

  test('refuses a source that is not there', async () => {
    const source = { type: 'directory', path: join(directory, 'none') } as const;
    const attempt = buildImage({ source, flags: {}, name: 'a', output: join(directory, 'x') });
    await expect(attempt).rejects.toThrow('no such file or directory');
  });
});

describe('ImageStore', () => {
  test('gives a name to the last image loaded with it and forgets removed ones', async () => {
    const store = new ImageStore(join(directory, 'store'));
    const ids: string[] = [];
    for (const content of ['one', 'two']) {
      const output = join(directory, `${content}.tar`);
      const entries = [{ type: 'file', path: 'a', content }] as const;
      ids.push((await buildImage({ source: { type: 'entries', entries }, flags: {}, name: 'a', output })).id);
      await store.load(output);
    }
    expect((await store.find('a'))?.id).toBe(ids[1]);
    expect((await store.find(ids[0]!))?.names).toEqual([]);
    await store.remove('a');
    expect(await store.find('a')).toBeUndefined();
    expect((await store.list()).map(({ id }) => id)).toEqual([ids[0]]);
  });

  test('reads a docker archive', async () => {
    const work = join(directory, 'docker');
    await mkdir(join(work, 'layer1'), { recursive: true });
    await writeFile(join(directory, 'f'), 'docker');
    execFileSync('tar', ['-cf', join(work, 'layer1/layer.tar'), '-C', directory, 'f']);
    await writeFile(join(work, 'c.json'), '{"architecture":"amd64","os":"linux","config":{"Cmd":["x"]}}');
    const manifest = [{ Config: 'c.json', RepoTags: ['busy:1'], Layers: ['layer1/layer.tar'] }];
    await writeFile(join(work, 'manifest.json'), JSON.stringify(manifest));
    execFileSync('tar', ['-cf', join(directory, 'd.tar'), '-C', work, 'manifest.json', 'c.json', 'layer1']);
    const store = new ImageStore(join(directory, 'store'));
    expect(await store.load(join(directory, 'd.tar'))).toEqual(['docker.io/library/busy:1']);
    const image = await store.find('busy:1');
    expect(image?.config.config?.Cmd).toEqual(['x']);
    expect(await readFile(join(image!.rootfs, 'f'), 'utf8')).toBe('docker');
  });

  test.each([
    ['not a tar at all', 'cannot read'],
    ['', 'neither an OCI layout nor a docker archive'],
  ])('refuses the archive %j', async (content, message) => {
    const path = join(directory, 'bad.tar');
    await writeFile(path, content.padEnd(content === '' ? 0 : 2048, '!'));
    await expect(new ImageStore(join(directory, 'store')).load(path)).rejects.toThrow(message);
  });
});

describe('unpackLayer', () => {
  const unpack = async (entries: Parameters<typeof packEntries>[0]): Promise<string> => {
    const root = join(directory, 'root');
    await mkdir(root, { recursive: true });
    await unpackLayer(Readable.from(packEntries(entries)), root, { keepOwners: false });
    return root;
  };

  test('applies whiteouts', async () => {
    await unpack([
      { type: 'directory', path: 'd' },
      { type: 'file', path: 'd/a', content: '' },
      { type: 'file', path: 'd/b', content: '' },
      { type: 'directory', path: 'e' },
      { type: 'file', path: 'e/old', content: '' },
    ]);
    const root = await unpack([
      { type: 'file', path: 'd/.wh.a', content: '' },
      { type: 'file', path: 'e/new', content: '' },
      { type: 'file', path: 'e/.wh..wh..opq', content: '' },
    ]);
    expect([existsSync(join(root, 'd/a')), existsSync(join(root, 'd/b'))]).toEqual([false, true]);
    expect([existsSync(join(root, 'e/old')), existsSync(join(root, 'e/new'))]).toEqual([false, true]);
  });

  test('writes nothing outside of its root', async () => {
    const root = await unpack([
      { type: 'file', path: '../../escape', content: 'x' },
      { type: 'symlink', path: 'out', target: directory },
      { type: 'file', path: 'out/escaped', content: 'x' },
      { type: 'symlink', path: 'up', target: '../../..' },
      { type: 'file', path: 'up/escaped-too', content: 'x' },
    ]);
    expect(existsSync(join(directory, 'escaped'))).toBe(false);
    expect(existsSync(join(directory, '../escaped-too'))).toBe(false);
    expect(existsSync(join(root, 'escape'))).toBe(true);
    expect(existsSync(join(root, directory, 'escaped'))).toBe(true);
  });
});

describe.skipIf(!existsSync(BUSYBOX))('local images (skipped without /usr/bin/busybox)', () => {
  test('busybox runs from its unpacked root', async () => {
    const output = join(directory, 'busybox.tar');
    await buildBusyboxImage({ busybox: BUSYBOX, output });
    const store = new ImageStore(join(directory, 'store'));
    expect(await store.load(output)).toEqual(['docker.io/library/busybox:latest']);
    const image = await store.find('busybox');
    expect(execFileSync(join(image!.rootfs, 'bin/echo'), ['hi']).toString()).toBe('hi\n');
    expect(image?.config.config?.Cmd).toEqual(['sh']);
  });

  test('pause is built', async () => {
    const built = await buildPauseImage({ busybox: BUSYBOX, output: join(directory, 'pause.tar') });
    expect(built.name).toBe('localhost/tiphys/pause:1');
  });
});
