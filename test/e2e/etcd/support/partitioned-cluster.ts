import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdMember } from '#store/etcd/testing/etcd-process.ts';
import { run } from '../../support/run.ts';

const SIZE = 3;

/** What is missing to put members into network namespaces; undefined where nothing is. */
export function missingForNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root for network namespaces';
  const missing = ['/usr/sbin/ip', '/usr/sbin/nft'].filter((path) => !existsSync(path));
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')}`;
}

/**
 * Three members, each in a network namespace of its own on one bridge. A member can be cut off from the other two while
 * this process, on the bridge, still reaches it: so a client of the minority is seen, too.
 */
export class PartitionedCluster implements AsyncDisposable {
  readonly members: readonly EtcdMember[];
  readonly #folder: string;
  readonly #network: string;
  readonly #id: string;

  private constructor(init: { members: readonly EtcdMember[]; folder: string; network: string; id: string }) {
    this.members = init.members;
    this.#folder = init.folder;
    this.#network = init.network;
    this.#id = init.id;
  }

  static async start(): Promise<PartitionedCluster> {
    const id = `tpe${process.pid.toString(36)}`;
    const network = `10.213.${process.pid % 250}`;
    const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tiphys-etcd-'));
    const urls = Array.from({ length: SIZE }, (_, index) => `http://${network}.${index + 2}`);
    const initialCluster = urls.map((url, index) => `member-${index}=${url}:2380`).join(',');
    const members = urls.map(
      (url, index) =>
        new EtcdMember({
          name: `member-${index}`,
          folder,
          clientUrl: `${url}:2379`,
          peerUrl: `${url}:2380`,
          initialCluster,
          wrap: ['ip', 'netns', 'exec', `${id}-${index}`],
        }),
    );
    const cluster = new PartitionedCluster({ members, folder, network, id });
    try {
      await cluster.#makeNetwork();
      for (const member of members) member.start();
      await Promise.all(members.map((member) => member.ready()));
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  get endpoints(): string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /** Cuts one member off from the others, in both directions. */
  async isolate(index: number): Promise<void> {
    const peers = [0, 1, 2].filter((other) => other !== index).map((other) => `${this.#network}.${other + 2}`);
    const set = `{ ${peers.join(', ')} }`;
    const rules =
      'table ip cut { chain in { type filter hook input priority 0; ' +
      `ip saddr ${set} drop; }; chain out { type filter hook output priority 0; ip daddr ${set} drop; }; }`;
    await must('ip', ['netns', 'exec', `${this.#id}-${index}`, 'nft', '-f', '-'], rules);
  }

  async heal(): Promise<void> {
    for (let index = 0; index < SIZE; index++) {
      // Fails where there is no such table, which is as well.
      await run('ip', ['netns', 'exec', `${this.#id}-${index}`, 'nft', 'delete', 'table', 'ip', 'cut']);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    for (let index = 0; index < SIZE; index++) await run('ip', ['netns', 'delete', `${this.#id}-${index}`]);
    await run('ip', ['link', 'delete', this.#id]);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #makeNetwork(): Promise<void> {
    const bridge = this.#id;
    await must('ip', ['link', 'add', bridge, 'type', 'bridge']);
    await must('ip', ['address', 'add', `${this.#network}.1/24`, 'dev', bridge]);
    await must('ip', ['link', 'set', bridge, 'up']);
    for (let index = 0; index < SIZE; index++) {
      const namespace = `${this.#id}-${index}`;
      const [outside, inside] = [`${this.#id}o${index}`, `${this.#id}i${index}`];
      await must('ip', ['netns', 'add', namespace]);
      await must('ip', ['link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', namespace]);
      await must('ip', ['link', 'set', outside, 'master', bridge, 'up']);
      const within = ['-n', namespace];
      await must('ip', [...within, 'address', 'add', `${this.#network}.${index + 2}/24`, 'dev', inside]);
      await must('ip', [...within, 'link', 'set', inside, 'up']);
      await must('ip', [...within, 'link', 'set', 'lo', 'up']);
    }
  }
}

async function must(command: string, args: readonly string[], input?: string): Promise<void> {
  const result = await run(command, args, input === undefined ? {} : { input });
  if (result.code !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stderr}`);
}
