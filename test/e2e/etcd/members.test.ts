import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { CONFIG_MAPS } from '#api/generated/resources.ts';
import { ensurePki } from '#apiserver/pki/pki.ts';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';
import { WireMessages } from '#net/grpc/message-codec.ts';
import { openEtcdStore } from '#store/etcd/etcd-store.ts';
import { EtcdCluster, EtcdMember, freePorts, missingEtcd } from '#store/etcd/testing/etcd-process.ts';
import { spawnTiphys } from '../support/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { kubectlFor } from '../support/run.ts';
import { startServerOn } from './support/servers.ts';

const missing = missingEtcd();
const skipped = missing === undefined ? '' : ` (skipped: ${missing})`;
const deps = { clock: new RealClock(), random: new SystemRandom() };

/** etcd's messages about its members (`rpc.proto`). */
const messages = new WireMessages({
  MemberListRequest: '',
  MemberListResponse: 'members:Member[]=2',
  Member: 'id:uint64=1 name:string=2',
  MemberAddRequest: 'peerUrls:string[]=1',
  MemberAddResponse: '',
  MemberRemoveRequest: 'id:uint64=1',
  MemberRemoveResponse: '',
});

describe.skipIf(missing !== undefined)(`members of etcd${skipped}`, () => {
  test('one is lost and replaced, and then another one is lost: the server goes on', async () => {
    await using cluster = await EtcdCluster.start({ size: 3 });
    const [first, second, third] = cluster.members;
    await using server = await startServerOn(cluster.endpoints);
    const write = async (name: string) => {
      const metadata = { name, namespace: 'default' };
      await server.client.create(CONFIG_MAPS, { kind: 'ConfigMap', apiVersion: 'v1', metadata });
    };
    await write('all');
    await third?.stop();
    await eventually(
      'two are enough',
      () => write('two'),
      () => true,
    );
    const lost = await membersOf(second?.endpoint ?? '');
    await callCluster(second?.endpoint ?? '', 'MemberRemove', { id: lost.find(({ name }) => name === 'member-2')?.id });
    const newcomer = await cluster.newcomer(
      'newcomer',
      [first, second].filter((member) => member !== undefined),
    );
    try {
      await callCluster(second?.endpoint ?? '', 'MemberAdd', { peerUrls: [newcomer.options.peerUrl] });
      newcomer.start();
      await newcomer.ready();
      await first?.stop();
      await eventually(
        'the old one and the new one are enough',
        () => write('replaced'),
        () => true,
      );
      const { items } = await server.client.list(CONFIG_MAPS, { namespace: 'default' });
      const names = items.map(({ metadata }) => metadata.name ?? '').filter((name) => !name.startsWith('kube-'));
      expect(names).toEqual(['all', 'replaced', 'two']);
    } finally {
      await newcomer.stop();
    }
  });

  test('the command takes certificates, a prefix, and notes them for the next start', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tiphys-tls-'));
    const pki = await ensurePki(folder, {}, deps);
    const serving = pki.issueServing({ commonName: 'etcd', names: ['127.0.0.1'] });
    const client = pki.issueClient({ commonName: 'tiphys' });
    const files = { ca: pki.ca.certificate, cert: serving.certificate, key: serving.key };
    const clientFiles = { clientCert: client.certificate, clientKey: client.key };
    const path = (name: string) => join(folder, `${name}.pem`);
    for (const [name, text] of Object.entries({ ...files, ...clientFiles })) writeFileSync(path(name), text);
    const [clientPort = 0, peerPort = 0] = await freePorts(2);
    mkdirSync(join(folder, 'etcd'), { mode: 0o700 });
    const tls = { ca: files.ca, certificate: client.certificate, key: client.key };
    const member = new EtcdMember({
      folder: join(folder, 'etcd'),
      clientUrl: `https://127.0.0.1:${clientPort}`,
      peerUrl: `http://127.0.0.1:${peerPort}`,
      flags: [
        `--cert-file=${path('cert')}`,
        `--key-file=${path('key')}`,
        `--trusted-ca-file=${path('ca')}`,
        '--client-cert-auth',
      ],
      tls,
    });
    try {
      member.start();
      await member.ready();
      await expect(
        openEtcdStore({ endpoints: [member.endpoint], prefix: '/x', tls: { ca: files.ca }, openTimeoutMs: 500 }, deps),
      ).rejects.toThrow('cannot reach etcd');
      const dataDir = join(folder, 'data');
      const base = ['server', '--data-dir', dataDir, '--port', '0'];
      const flags = ['--etcd-servers', member.endpoint, '--etcd-prefix', '/other/'];
      const tlsFlags = [
        '--etcd-cafile',
        path('ca'),
        '--etcd-certfile',
        path('clientCert'),
        '--etcd-keyfile',
        path('clientKey'),
      ];
      await served(join(dataDir, 'admin.conf'), [...base, ...flags, ...tlsFlags], 'one');
      await served(join(dataDir, 'admin.conf'), base, 'two');
      await using raw = await openEtcdStore({ endpoints: [member.endpoint], prefix: '/other', root: '', tls }, deps);
      const { items } = await raw.list({ prefix: '/configmaps/default/' });
      expect(items.map(({ key }) => key)).toEqual(
        expect.arrayContaining(['/configmaps/default/one', '/configmaps/default/two']),
      );
    } finally {
      await member.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Starts a server, makes a ConfigMap with kubectl, and stops it. */
async function served(kubeconfig: string, args: readonly string[], name: string): Promise<void> {
  const child = spawnTiphys(args);
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  try {
    await eventually(
      'the server',
      async () => output,
      (text) => text.includes('serving') || child.exitCode !== null,
    );
    const kubectl = await kubectlFor(kubeconfig);
    await kubectl('create', 'configmap', name);
  } catch (error) {
    throw new Error(output, { cause: error });
  } finally {
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      if (!child.kill('SIGTERM')) resolve();
    });
  }
}

interface Member {
  readonly id: unknown;
  readonly name: string;
}

async function membersOf(endpoint: string): Promise<readonly Member[]> {
  const response = await callCluster(endpoint, 'MemberList', {});
  // Safe: decoded by the table above.
  return (response as { members: readonly Member[] }).members;
}

/** Tries again while the others do not agree yet that they are healthy. */
function callCluster(endpoint: string, method: 'MemberList' | 'MemberAdd' | 'MemberRemove', request: object) {
  const client = new Client(endpoint.replace('http://', ''), credentials.createInsecure());
  const { encode } = messages.codec(`${method}Request`);
  const { decode } = messages.codec(`${method}Response`);
  const call = () =>
    new Promise<unknown>((resolve, reject) => {
      client.makeUnaryRequest(`/etcdserverpb.Cluster/${method}`, encode, decode, request, (error, value) => {
        if (error === null) resolve(value);
        else reject(error);
      });
    });
  return eventually(method, call, () => true).finally(() => client.close());
}
