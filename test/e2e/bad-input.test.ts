import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { runTiphys, startCluster, type TestCluster } from './support/cluster.ts';

describe('bad input', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await startCluster({ runtime: 'simulated' });
  });

  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  const apply = (input: string | Uint8Array) => cluster.kubectl.try(['apply', '-f', '-'], { input });

  test('invalid YAML', async () => {
    const result = await post('/api/v1/namespaces/default/configmaps', 'a: [1, 2', {
      'content-type': 'application/yaml',
    });
    expect(result.status).toBe(400);
    expect(result.body).toMatchObject({ kind: 'Status', status: 'Failure', reason: 'BadRequest', code: 400 });
    expect((await apply('kind: [')).code).toBe(1);
  });

  test('invalid JSON', async () => {
    const result = await post('/api/v1/namespaces/default/configmaps', '{"kind": ');
    expect(result.status).toBe(400);
    expect(result.body).toMatchObject({ reason: 'BadRequest' });
  });

  test('wrong types and invalid values', async () => {
    const wrongType = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'x' },
      spec: { replicas: 'many' },
    };
    const answer = await post('/apis/apps/v1/namespaces/default/deployments', JSON.stringify(wrongType));
    expect(answer.status).toBe(400);
    const invalid = await apply('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "Not_A_Name"}\n');
    expect(invalid.code).toBe(1);
    expect(invalid.stderr).toContain(
      'a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters',
    );
  });

  test('unknown fields are refused by strict validation and unknown kinds by name', async () => {
    const unknownField = await apply('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndatta: {}\n');
    expect(unknownField.code).toBe(1);
    expect(unknownField.stderr).toContain('unknown field "datta"');
    const unknownKind = await apply('apiVersion: v1\nkind: Konfig\nmetadata: {name: x}\n');
    expect(unknownKind.stderr).toContain('no matches for kind "Konfig" in version "v1"');
    expect((await get('/apis/nowhere.example/v1/things')).status).toBe(404);
  });

  test('a huge body is refused with 413', async () => {
    const huge = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'huge' },
      data: { x: 'y'.repeat(4_000_000) },
    };
    const answer = await post('/api/v1/namespaces/default/configmaps', JSON.stringify(huge));
    expect(answer.status).toBe(413);
    expect(answer.body).toMatchObject({ reason: 'RequestEntityTooLarge' });
  });

  test('bad tokens get 401, unknown certificates get 401, and nobody gets 403', async () => {
    const badToken = await get('/api/v1/pods', { authorization: 'Bearer nonsense' }, { anonymous: true });
    expect(badToken.status).toBe(401);
    expect(badToken.body).toMatchObject({ message: 'Unauthorized', reason: 'Unauthorized', code: 401 });
    const nobody = await get('/api/v1/pods', {}, { anonymous: true });
    expect(nobody.status).toBe(403);
    expect(nobody.body).toMatchObject({
      message:
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope',
    });
  });

  test('of many concurrent updates of one object exactly one wins each round', async () => {
    const path = '/api/v1/namespaces/default/configmaps';
    const made = await post(
      path,
      JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'contended' } }),
    );
    let current = made.body as { metadata: { resourceVersion: string }; data?: Record<string, string> };
    for (let round = 0; round < 10; round += 1) {
      const attempts = Array.from({ length: 20 }, (_, index) =>
        call('PUT', `${path}/contended`, JSON.stringify({ ...current, data: { writer: `${round}-${index}` } })),
      );
      const answers = await Promise.all(attempts);
      const winners = answers.filter((answer) => answer.status === 200);
      expect(winners).toHaveLength(1);
      expect(answers.filter((answer) => answer.status === 409)).toHaveLength(19);
      current = winners[0]?.body as typeof current;
      expect((await get(`${path}/contended`)).body).toEqual(current);
    }
  });

  test('the server lives through all of it', async () => {
    expect(await cluster.kubectl('get', '--raw', '/readyz')).toBe('ok');
  });

  interface Answer {
    readonly status: number;
    readonly body: unknown;
  }

  function get(path: string, headers: Record<string, string> = {}, options?: { anonymous: boolean }): Promise<Answer> {
    return call('GET', path, undefined, headers, options);
  }

  function post(path: string, body: string, headers: Record<string, string> = {}): Promise<Answer> {
    return call('POST', path, body, headers);
  }

  function call(
    method: string,
    path: string,
    body?: string,
    headers: Record<string, string> = {},
    options: { anonymous: boolean } = { anonymous: false },
  ): Promise<Answer> {
    // Safe: written by tiphys with everything embedded.
    const config = parse(readFileSync(join(cluster.dataDir, 'admin.conf'), 'utf8')) as {
      clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
      users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
    };
    const decode = (text: string | undefined) => Buffer.from(text ?? '', 'base64');
    const user = config.users[0]?.user;
    const identity = options.anonymous
      ? {}
      : { cert: decode(user?.['client-certificate-data']), key: decode(user?.['client-key-data']) };
    return new Promise((resolve, reject) => {
      const outgoing = request(
        new URL(path, config.clusters[0]?.cluster.server),
        {
          method,
          headers: { 'content-type': 'application/json', ...headers },
          ca: decode(config.clusters[0]?.cluster['certificate-authority-data']),
          ...identity,
          agent: false,
        },
        (incoming) => {
          let text = '';
          incoming.on('data', (chunk: Buffer) => {
            text += chunk.toString();
          });
          incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: tryJson(text) }));
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
});

describe('bad command lines and directories', () => {
  const folders: string[] = [];
  const temporary = () => {
    const folder = mkdtempSync(join(tmpdir(), 'tiphys-bad-'));
    folders.push(folder);
    return folder;
  };

  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  test('an unknown flag, command or runtime', async () => {
    const flag = await runTiphys('up', '--prot', '1');
    expect(flag.code).toBe(2);
    expect(flag.stderr).toContain("unknown option '--prot'");
    expect(flag.stderr).toContain('--port');
    const command = await runTiphys('pu');
    expect(command.code).toBe(2);
    expect(command.stderr).toContain("unknown command 'pu'");
    const runtime = await runTiphys('up', '--runtime', 'docker');
    expect(runtime.code).toBe(2);
    expect(runtime.stderr).toContain('Allowed choices are containerd, process, simulated');
    const port = await runTiphys('up', '--port', '99999');
    expect(port.stderr).toContain('it must be a number from 0 to 65535');
  });

  test('a port in use', async () => {
    const folder = temporary();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      const args = ['--data-dir', folder, '--runtime', 'simulated', '--no-kubeconfig', '--port', String(port)];
      const result = await runTiphys('up', ...args);
      expect(result.code).toBe(1);
      expect(result.stderr).toContain(`address already in use`);
      expect(result.stderr).toContain('choose one with --port');
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('a data directory of another version, of something else, and one that is damaged', async () => {
    const other = temporary();
    writeFileSync(join(other, 'format'), 'tiphys 99\n');
    const version = await runTiphys(
      'up',
      '--data-dir',
      other,
      '--runtime',
      'simulated',
      '--no-kubeconfig',
      '--port',
      '0',
    );
    expect(version.code).toBe(1);
    expect(version.stderr).toContain('has data format 99, and this version of tiphys uses format 1');
    const foreign = temporary();
    writeFileSync(join(foreign, 'photo.jpg'), '');
    const something = await runTiphys('up', '--data-dir', foreign, '--runtime', 'simulated', '--no-kubeconfig');
    expect(something.code).toBe(1);
    expect(something.stderr).toContain('is not empty');
    expect((await runTiphys('delete', '--data-dir', foreign)).code).toBe(1);
    expect(existsSync(join(foreign, 'photo.jpg'))).toBe(true);
    const damaged = temporary();
    writeFileSync(join(damaged, 'format'), 'tiphys 1\n');
    mkdirSync(join(damaged, 'store'));
    writeFileSync(join(damaged, 'settings.json'), '{"port": ');
    const broken = await runTiphys('up', '--data-dir', damaged, '--runtime', 'simulated', '--no-kubeconfig');
    expect(broken.code).toBe(1);
    expect(broken.stderr).toContain('settings.json is damaged');
  });
});

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
