import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  lstatSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { KubeconfigError } from '../errors.ts';
import { inClusterConfig, loadKubeconfig } from './kubeconfig.ts';
import { kubeconfigPaths, kubeconfigTarget } from './kubeconfig-file.ts';
import { mergeContext, removeContext } from './merge-context.ts';

const root = mkdtempSync(join(tmpdir(), 'tiphys-kubeconfig-'));
let directory = root;
let count = 0;
beforeEach(() => {
  directory = join(root, String(++count));
  mkdirSync(directory);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const deps = { clock: new RealClock() };
const base64 = (text: string) => Buffer.from(text).toString('base64');

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const EXISTING = `# my clusters
apiVersion: v1
kind: Config
preferences: {}
current-context: work # the day job
clusters:
  - name: work
    cluster:
      server: https://work.example.com
      certificate-authority: ca.pem
      tls-server-name: kubernetes
      extensions: [{name: mine, extension: {a: 1}}]
users:
  # rotated by hand
  - name: jane
    user:
      client-certificate-data: ${base64('CERT')}
      client-key-data: ${base64('KEY')}
      as: admin
      as-groups: [masters]
  - name: robot
    user: {tokenFile: token}
contexts:
  - name: work
    context: {cluster: work, user: jane, namespace: team}
  - name: robot
    context: {cluster: work, user: robot}
x-unknown: kept
`;

describe('loadKubeconfig', () => {
  test('reads the current context with its cluster and user', () => {
    write('ca.pem', 'AUTHORITY');
    const path = write('config', EXISTING);
    expect(loadKubeconfig({ path, env: {}, userAgent: 'test' })).toEqual({
      server: 'https://work.example.com',
      certificateAuthority: 'AUTHORITY',
      tlsServerName: 'kubernetes',
      clientCertificate: 'CERT',
      clientKey: 'KEY',
      impersonate: { user: 'admin', groups: ['masters'] },
      namespace: 'team',
      userAgent: 'test',
    });
  });

  test('reads the context asked for; paths in it start from its file', () => {
    write('ca.pem', 'AUTHORITY');
    const env = { KUBECONFIG: write('config', EXISTING) };
    expect(loadKubeconfig({ env, context: 'robot' })).toMatchObject({ tokenFile: join(directory, 'token') });
  });

  test('merges the files of KUBECONFIG: the first that has something wins, those that are missing are skipped', () => {
    const user = 'users: [{name: u, user: {token: first}}]';
    const first = write('first', `current-context: c\n${user}\n`);
    const second = write(
      'second',
      'current-context: other\nusers: [{name: u, user: {token: second}}]\n' +
        'clusters: [{name: k, cluster: {server: "https://b"}}]\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n',
    );
    const env = { KUBECONFIG: ['', first, join(directory, 'missing'), second].join(delimiter) };
    expect(loadKubeconfig({ env })).toEqual({ server: 'https://b', token: 'first' });
  });

  test('looks in the home directory where nothing is said', () => {
    expect(kubeconfigPaths({ env: { HOME: '/home/jane' } })).toEqual(['/home/jane/.kube/config']);
    expect(kubeconfigPaths({ path: '/a', env: { KUBECONFIG: '/b', HOME: '/c' } })).toEqual(['/a']);
  });

  test.each([
    ['current-context: none', 'there is no context "none"'],
    ['contexts: []', 'no current context is set'],
    ['current-context: c\ncontexts: [{name: c, context: {cluster: k}}]', 'names the cluster "k", which is not in'],
    ['a: [', 'is not valid YAML'],
    ['- a', 'is no map of fields'],
    [
      'current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\nclusters: [{name: k, cluster: {server: nope}}]',
      'is no URL: nope',
    ],
    [
      'current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n' +
        'clusters: [{name: k, cluster: {server: "https://a"}}]\nusers: [{name: u, user: {exec: {command: x}}}]',
      'gets its credentials from "exec", which is not supported',
    ],
  ])('says what is wrong with %j', (text, message) => {
    const path = write('config', text);
    expect(() => loadKubeconfig({ path, env: {} })).toThrow(KubeconfigError);
    expect(() => loadKubeconfig({ path, env: {} })).toThrow(message);
  });

  test('says where it looked when there is none', () => {
    expect(() => loadKubeconfig({ env: { HOME: directory } })).toThrow(`none of ${directory}/.kube/config exists`);
  });
});

describe('inClusterConfig', () => {
  test('uses the service account of the pod, and knows when it is in none', () => {
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    expect(inClusterConfig({ env, directory })).toBeUndefined();
    for (const [name, text] of Object.entries({ token: 't', 'ca.crt': 'AUTHORITY', namespace: 'ns\n' }))
      write(name, text);
    expect(inClusterConfig({ env, directory })).toEqual({
      server: 'https://[fd00::1]:443',
      certificateAuthority: 'AUTHORITY',
      tokenFile: join(directory, 'token'),
      namespace: 'ns',
    });
    expect(inClusterConfig({ env: {}, directory })).toBeUndefined();
  });
});

describe('mergeContext', () => {
  const config = {
    server: 'https://127.0.0.1:6443',
    certificateAuthority: 'CA',
    clientCertificate: 'CERT',
    clientKey: 'KEY',
  };

  test('makes a file that only its owner can read, and that loads', async () => {
    const path = join(directory, 'new', '.kube', 'config');
    await mergeContext({ path, name: 'tiphys', config, makeCurrent: true }, deps);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(existsSync(`${path}.lock`)).toBe(false);
    expect(readFileSync(path, 'utf8')).toMatch(/^apiVersion: v1\nkind: Config\n/);
    expect(loadKubeconfig({ path, env: {} })).toEqual(config);
  });

  test('leaves everything else as it is: comments, unknown fields, other contexts', async () => {
    const path = write('config', EXISTING);
    await mergeContext({ path, name: 'tiphys', config, makeCurrent: false }, deps);
    const text = readFileSync(path, 'utf8');
    for (const kept of ['# my clusters', 'work # the day job', '# rotated by hand', 'x-unknown: kept', 'extensions:']) {
      expect(text).toContain(kept);
    }
    write('ca.pem', 'AUTHORITY');
    expect(loadKubeconfig({ path, env: {} }).server).toBe('https://work.example.com');
    expect(loadKubeconfig({ path, env: {}, context: 'tiphys' })).toEqual(config);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('replaces its own context, and nothing piles up', async () => {
    const path = write('config', EXISTING);
    await mergeContext({ path, name: 'tiphys', config, makeCurrent: true }, deps);
    const once = readFileSync(path, 'utf8');
    const moved = { ...config, server: 'https://127.0.0.1:7443' };
    await mergeContext({ path, name: 'tiphys', config: moved, makeCurrent: true }, deps);
    expect(loadKubeconfig({ path, env: {} })).toEqual(moved);
    expect(readFileSync(path, 'utf8')).toBe(once.replace('127.0.0.1:6443', '127.0.0.1:7443'));
  });

  test('adds to the empty lists and null lists that other programs leave', async () => {
    const path = write('config', 'apiVersion: v1\nclusters: []\ncontexts: null\ncurrent-context: ""\nusers: []\n');
    await mergeContext({ path, name: 'tiphys', config, makeCurrent: true }, deps);
    expect(loadKubeconfig({ path, env: {} })).toEqual(config);
  });

  test('writes through a link', async () => {
    const path = write('real', EXISTING);
    const link = join(directory, 'link');
    symlinkSync(path, link);
    await mergeContext({ path: link, name: 'tiphys', config, makeCurrent: false }, deps);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(path, 'utf8')).toContain('tiphys');
  });

  test('does not touch a file that it does not understand', async () => {
    const path = write('config', 'clusters: [');
    await expect(mergeContext({ path, name: 'tiphys', config, makeCurrent: true }, deps)).rejects.toThrow('not valid');
    expect(readFileSync(path, 'utf8')).toBe('clusters: [');
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  test('waits for others that change the file, and says so when they do not end', async () => {
    const path = write('config', EXISTING);
    const lock = write('config.lock', '');
    let waitedMs = 0;
    const clock = new RealClock();
    clock.monotonic = () => waitedMs;
    clock.sleep = async (delayMs) => {
      waitedMs += delayMs;
      if (waitedMs === 200) rmSync(lock);
    };
    await mergeContext({ path, name: 'tiphys', config, makeCurrent: true }, { clock });
    expect(waitedMs).toBe(200);
    write('config.lock', '');
    await expect(mergeContext({ path, name: 'tiphys', config, makeCurrent: true }, { clock })).rejects.toThrow(
      'remove that file and try again',
    );
    expect(existsSync(lock)).toBe(true);
  });

  test('keeps every context where many are merged at once', async () => {
    const path = join(directory, 'config');
    const names = Array.from({ length: 8 }, (_, i) => `c${i}`);
    await Promise.all(names.map((name) => mergeContext({ path, name, config, makeCurrent: false }, deps)));
    for (const name of names) expect(loadKubeconfig({ path, env: {}, context: name })).toEqual(config);
  });

  test('picks the file to write to', () => {
    const there = write('there', '');
    expect(kubeconfigTarget([join(directory, 'a'), there, join(directory, 'b')])).toBe(there);
    expect(kubeconfigTarget([join(directory, 'a'), join(directory, 'b')])).toBe(join(directory, 'b'));
    expect(() => kubeconfigTarget([])).toThrow('set HOME or KUBECONFIG');
  });
});

describe('removeContext', () => {
  test('takes the context with its cluster and user, and gives the file back as it was', async () => {
    const path = write('config', EXISTING);
    const paths = [join(directory, 'missing'), path];
    const config = { server: 'https://127.0.0.1:6443', token: 't' };
    await mergeContext({ path, name: 'tiphys', config, makeCurrent: true }, deps);
    expect(await removeContext({ paths, name: 'tiphys' }, deps)).toBe(true);
    const text = readFileSync(path, 'utf8');
    expect(text).not.toContain('tiphys');
    expect(text).toContain('current-context: ""');
    expect(text).toContain('# rotated by hand');
    expect(await removeContext({ paths, name: 'tiphys' }, deps)).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test('keeps a cluster or user that another context uses', async () => {
    const path = write('config', EXISTING);
    write('ca.pem', 'AUTHORITY');
    expect(await removeContext({ paths: [path], name: 'robot' }, deps)).toBe(true);
    expect(loadKubeconfig({ path, env: {} }).server).toBe('https://work.example.com');
    expect(readFileSync(path, 'utf8')).not.toContain('robot');
  });
});
