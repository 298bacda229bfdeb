import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Random } from '#machinery/random/random.ts';

/** Time for one server to answer before the next is asked. */
const TIMEOUT_MS = 2_000;
/** Queries under way; beyond it new ones fail at once, so that a dead upstream cannot eat the memory. */
const PENDING_MAX = 2_000;
const DNS_PORT = 53;

interface Pending {
  readonly resolve: (answer: Uint8Array) => void;
  readonly originalId: number;
  readonly server: string;
}

/** Passes questions about the rest of the world to the machine's own resolvers, unchanged but for the query id. */
export class Forwarder {
  readonly #servers: readonly string[];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #pending = new Map<number, Pending>();
  #socket: UdpSocket | undefined;

  constructor(deps: { servers: readonly string[]; clock: Clock; random: Random }) {
    this.#servers = deps.servers;
    this.#clock = deps.clock;
    this.#random = deps.random;
  }

  /** The answer as the upstream sent it, under the query's own id. Rejects when no server answers. */
  async forward(query: Uint8Array, options: { overTcp: boolean }): Promise<Uint8Array> {
    if (query.length < 12) throw new Error('dns query is shorter than its header');
    for (const server of this.#servers) {
      const answer = await (options.overTcp ? this.#askTcp(server, query) : this.#askUdp(server, query));
      if (answer !== undefined) return answer;
    }
    throw new Error(`no answer from upstream dns servers (${this.#servers.join(', ') || 'none configured'})`);
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
    this.#pending.clear();
  }

  #askUdp(server: string, query: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#pending.size >= PENDING_MAX) return Promise.resolve(undefined);
    const socket = this.#open();
    const copy = Buffer.from(query);
    // A fresh random id: guessing it is what stands between a forger and our cache-less answer.
    let id = this.#random.int(65_536);
    while (this.#pending.has(id)) id = (id + 1) % 65_536;
    const originalId = copy.readUInt16BE(0);
    copy.writeUInt16BE(id, 0);
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(
        () => {
          this.#pending.delete(id);
          resolve(undefined);
        },
        TIMEOUT_MS,
        { unref: true },
      );
      this.#pending.set(id, {
        originalId,
        server,
        resolve: (answer) => {
          timer.cancel();
          this.#pending.delete(id);
          resolve(answer);
        },
      });
      socket.send(copy, DNS_PORT, server);
    });
  }

  #open(): UdpSocket {
    if (this.#socket !== undefined) return this.#socket;
    const socket = createSocket('udp4');
    socket.on('error', () => this.close());
    socket.on('message', (message, peer) => {
      if (message.length < 12) return;
      const waiting = this.#pending.get(message.readUInt16BE(0));
      if (waiting === undefined || waiting.server !== peer.address) return;
      const answer = Buffer.from(message);
      answer.writeUInt16BE(waiting.originalId, 0);
      waiting.resolve(answer);
    });
    socket.unref();
    this.#socket = socket;
    return socket;
  }

  #askTcp(server: string, query: Uint8Array): Promise<Uint8Array | undefined> {
    return new Promise((resolve) => {
      const socket = connect({ host: server, port: DNS_PORT });
      let received: Buffer = Buffer.alloc(0);
      const finish = (answer: Uint8Array | undefined) => {
        timer.cancel();
        socket.destroy();
        resolve(answer);
      };
      const timer = this.#clock.setTimeout(() => finish(undefined), TIMEOUT_MS, { unref: true });
      socket.on('error', () => finish(undefined));
      socket.on('close', () => finish(undefined));
      socket.on('connect', () => {
        const head = Buffer.alloc(2);
        head.writeUInt16BE(query.length);
        socket.write(Buffer.concat([head, query]));
      });
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
        finish(received.subarray(2, 2 + received.readUInt16BE(0)));
      });
    });
  }
}
