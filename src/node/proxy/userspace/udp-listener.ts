import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Clock, Timer } from '#machinery/clock/clock.ts';
import type { EndpointChoice } from './endpoint-choice.ts';
import type { ServiceAddress, ServiceListener } from './listener.ts';

/** A client that is silent in both directions for this long may be sent elsewhere next time, as conntrack does. */
const IDLE_MS = 30_000;
/** Clients at a time, per listener; packets of more are dropped, as a full conntrack table drops them. */
const CLIENTS_MAX = 1_024;
/** Packets of one client that wait for its socket, for an instant; more are dropped. */
const WAITING_MAX = 16;

/** What passes between one client's address and the endpoint that it was given. */
interface Flow {
  readonly upstream: Socket;
  /** `ip:port`: a flow ends when its endpoint does. */
  readonly endpoint: string;
  lastMs: number;
  /** Packets that came before the socket was ready; undefined once it is. */
  waiting: Buffer[] | undefined;
}

/** Passes datagrams on: all of one client's address and port to one endpoint, and its answers back. */
export class UdpListener implements ServiceListener {
  readonly choice: EndpointChoice;
  readonly #clock: Clock;
  readonly #socket: Socket;
  readonly #flows = new Map<string, Flow>();
  #sweep: Timer | undefined;

  constructor(choice: EndpointChoice, clock: Clock) {
    this.choice = choice;
    this.#clock = clock;
    this.#socket = createSocket('udp4');
    this.#socket.on('message', (packet, from) => this.#forward(packet, from));
  }

  open({ host, port }: ServiceAddress): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once('error', reject);
      this.#socket.bind({ address: host, port, exclusive: true }, () => {
        this.#socket.off('error', reject);
        // A datagram that cannot be sent is lost, as datagrams are.
        this.#socket.on('error', () => undefined);
        resolve();
      });
    });
  }

  close(): Promise<void> {
    this.#sweep?.cancel();
    for (const key of this.#flows.keys()) this.#end(key);
    return new Promise((resolve) => {
      this.#socket.close(() => resolve());
    });
  }

  #forward(packet: Buffer, from: RemoteInfo): void {
    const key = `${from.address}:${from.port}`;
    const candidates = this.choice.candidates(from.address);
    let flow = this.#flows.get(key);
    if (flow !== undefined && !candidates.some(({ ip, port }) => `${ip}:${port}` === flow?.endpoint)) {
      this.#end(key);
      flow = undefined;
    }
    flow ??= this.#begin(key, from, candidates[0]);
    if (flow === undefined) return;
    flow.lastMs = this.#clock.monotonic();
    if (flow.waiting === undefined) flow.upstream.send(packet);
    else if (flow.waiting.length < WAITING_MAX) flow.waiting.push(packet);
  }

  #begin(key: string, from: RemoteInfo, target: { ip: string; port: number } | undefined): Flow | undefined {
    if (target === undefined || this.#flows.size >= CLIENTS_MAX) return undefined;
    const upstream = createSocket('udp4');
    const flow: Flow = { upstream, endpoint: `${target.ip}:${target.port}`, lastMs: 0, waiting: [] };
    upstream.on('message', (answer) => {
      flow.lastMs = this.#clock.monotonic();
      this.#socket.send(answer, from.port, from.address);
    });
    // Nobody listens there (any more): the client's next packet makes a new choice.
    upstream.on('error', () => {
      if (this.#flows.get(key) === flow) this.#end(key);
    });
    upstream.connect(target.port, target.ip, () => {
      for (const packet of flow.waiting ?? []) upstream.send(packet);
      flow.waiting = undefined;
    });
    this.#flows.set(key, flow);
    this.choice.remember(from.address, { ...target, nodeName: '' });
    this.#sweep ??= this.#clock.setTimeout(() => this.#endIdle(), IDLE_MS, { unref: true });
    return flow;
  }

  #endIdle(): void {
    this.#sweep = undefined;
    const before = this.#clock.monotonic() - IDLE_MS;
    for (const [key, { lastMs }] of this.#flows) if (lastMs <= before) this.#end(key);
    if (this.#flows.size > 0) this.#sweep = this.#clock.setTimeout(() => this.#endIdle(), IDLE_MS, { unref: true });
  }

  #end(key: string): void {
    const flow = this.#flows.get(key);
    if (flow === undefined) return;
    this.#flows.delete(key);
    flow.upstream.close();
  }
}
