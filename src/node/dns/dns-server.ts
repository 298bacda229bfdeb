import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { type Answer, decode, encode, type Packet, type Question } from 'dns-packet';
import type { Logger } from '#machinery/log/logger.ts';
import type { Forwarder } from './forwarder.ts';
import { answerQuestion, type DnsRecord, type ZoneView } from './zone.ts';

/** Seconds that clients may keep an answer about the cluster; names outside keep their own. */
const TTL_SECONDS = 5;
/** What fits a UDP answer where the client says nothing of EDNS (RFC 1035). */
const UDP_BYTES_MIN = 512;
/** More than this fragments on common links; clients then come back over TCP. */
const UDP_BYTES_MAX = 1_232;
const TCP_IDLE_MS = 10_000;
const TCP_CONNECTIONS_MAX = 256;
const TCP_PENDING_BYTES_MAX = 128 * 1024;

// Flags of a DNS header as dns-packet takes them.
const AUTHORITATIVE = 1 << 10;
const TRUNCATED = 1 << 9;
const RECURSION_DESIRED = 1 << 8;
const RECURSION_AVAILABLE = 1 << 7;
const SERVFAIL = 2;
const NXDOMAIN = 3;
const NOT_IMPLEMENTED = 4;

export interface DnsServerDeps {
  readonly view: ZoneView;
  readonly forwarder: Forwarder;
  readonly log: Logger;
  /** `cluster.local`. */
  readonly domain: string;
}

/** The cluster's DNS server, on UDP and TCP at the same port. */
export class DnsServer {
  readonly #deps: DnsServerDeps;
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;
  readonly #connections = new Set<Socket>();
  readonly counts = { requests: 0, forwarded: 0, malformed: 0 };

  constructor(deps: DnsServerDeps) {
    this.#deps = deps;
  }

  /** Listens on `host`; port 0 lets the system choose. Resolves to the port. */
  async listen(address: { host: string; port: number }): Promise<number> {
    const tcp = createServer((socket) => this.#serveTcp(socket));
    tcp.maxConnections = TCP_CONNECTIONS_MAX;
    const port = await new Promise<number>((resolve, reject) => {
      tcp.once('error', reject);
      tcp.listen(address.port, address.host, () => {
        const bound = tcp.address();
        resolve(typeof bound === 'object' && bound !== null ? bound.port : address.port);
      });
    });
    this.#tcp = tcp;
    const udp = createSocket({ type: address.host.includes(':') ? 'udp6' : 'udp4' });
    await new Promise<void>((resolve, reject) => {
      udp.once('error', reject);
      udp.bind(port, address.host, () => {
        udp.off('error', reject);
        resolve();
      });
    });
    udp.on('error', (error) => this.#deps.log.warn('dns socket failed', { error: error.message }));
    udp.on('message', (message, peer) => this.#serveUdp(udp, message, peer));
    this.#udp = udp;
    return port;
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    const udp = this.#udp;
    const tcp = this.#tcp;
    this.#udp = undefined;
    this.#tcp = undefined;
    if (udp !== undefined) await new Promise<void>((resolve) => udp.close(() => resolve()));
    if (tcp !== undefined) await new Promise<void>((resolve) => tcp.close(() => resolve()));
    this.#deps.forwarder.close();
  }

  #serveUdp(udp: UdpSocket, message: Uint8Array, peer: RemoteInfo): void {
    void this.#answer(message, { overTcp: false }).then((reply) => {
      if (reply !== undefined && this.#udp === udp) udp.send(reply, peer.port, peer.address);
    });
  }

  #serveTcp(socket: Socket): void {
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
    let pending: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      if (pending.length > TCP_PENDING_BYTES_MAX) {
        socket.destroy();
        return;
      }
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const length = pending.readUInt16BE(0);
        const message = pending.subarray(2, 2 + length);
        pending = pending.subarray(2 + length);
        void this.#answer(message, { overTcp: true }).then((reply) => {
          if (reply === undefined || socket.destroyed) return;
          const head = Buffer.alloc(2);
          head.writeUInt16BE(reply.length);
          socket.write(Buffer.concat([head, reply]));
        });
      }
    });
  }

  /** Never rejects: whatever a peer sends is answered or dropped. */
  async #answer(message: Uint8Array, { overTcp }: { overTcp: boolean }): Promise<Uint8Array | undefined> {
    this.counts.requests += 1;
    let query: Packet;
    try {
      query = decode(Buffer.from(message));
    } catch (error) {
      this.counts.malformed += 1;
      this.#deps.log.debug('malformed dns query', { error });
      return undefined;
    }
    // An answer sent to us is not a question: replying could start a loop between two servers.
    if (query.type === 'response') return undefined;
    const question = query.questions?.[0];
    if (question === undefined || query.questions?.length !== 1) return reply(query, { rcode: NOT_IMPLEMENTED });
    try {
      const found = await this.#resolve(question, message, overTcp);
      if (found instanceof Uint8Array) return found;
      return overTcp ? reply(query, found) : fitUdp(query, found);
    } catch (error) {
      this.#deps.log.debug('cannot answer dns query', { name: question.name, error });
      return reply(query, { rcode: SERVFAIL });
    }
  }

  async #resolve(question: Question, message: Uint8Array, overTcp: boolean): Promise<Uint8Array | ReplyParts> {
    const { view, domain, forwarder } = this.#deps;
    const asked = { name: question.name, type: question.type };
    const answer = answerQuestion(asked, { view, domain });
    switch (answer.type) {
      case 'records':
        return {
          isAuthoritative: true,
          answers: rotated(answer.answers, this.counts.requests).map(toPacketAnswer),
          additionals: answer.additionals.map(toPacketAnswer),
        };
      case 'noData':
        return { isAuthoritative: true, authorities: [startOfAuthority(domain)] };
      case 'noName':
        return { isAuthoritative: true, rcode: NXDOMAIN, authorities: [startOfAuthority(domain)] };
      case 'alias': {
        const alias = toPacketAnswer(answer.record);
        if (question.type === 'CNAME') return { isAuthoritative: true, answers: [alias] };
        const rest = await this.#followAlias(answer.target, question);
        return { isAuthoritative: true, answers: [alias, ...rest] };
      }
      case 'notOurs':
        this.counts.forwarded += 1;
        return forwarder.forward(message, { overTcp });
    }
  }

  async #followAlias(target: string, question: Question): Promise<readonly Answer[]> {
    const { view, domain, forwarder } = this.#deps;
    const inside = answerQuestion({ name: target, type: question.type }, { view, domain });
    if (inside.type === 'records') return inside.answers.map(toPacketAnswer);
    if (inside.type !== 'notOurs') return [];
    const query = encode({
      type: 'query',
      id: 1,
      flags: RECURSION_DESIRED,
      questions: [{ ...question, name: target }],
    });
    try {
      const answer = await forwarder.forward(query, { overTcp: false });
      return decode(Buffer.from(answer)).answers ?? [];
    } catch (error) {
      // The alias itself is right whatever becomes of its target.
      this.#deps.log.debug('cannot resolve the target of an alias', { target, error });
      return [];
    }
  }
}

interface ReplyParts {
  readonly rcode?: number;
  readonly isAuthoritative?: boolean;
  readonly answers?: Answer[];
  readonly additionals?: Answer[];
  readonly authorities?: Answer[];
}

function reply(query: Packet, parts: ReplyParts, extraFlags = 0): Uint8Array {
  const desired = (query.flags ?? 0) & RECURSION_DESIRED;
  const authoritative = parts.isAuthoritative === true ? AUTHORITATIVE : 0;
  return encode({
    type: 'response',
    ...(query.id === undefined ? {} : { id: query.id }),
    flags: desired | RECURSION_AVAILABLE | authoritative | extraFlags | (parts.rcode ?? 0),
    questions: query.questions ?? [],
    answers: parts.answers ?? [],
    authorities: parts.authorities ?? [],
    additionals: parts.additionals ?? [],
  });
}

function fitUdp(query: Packet, parts: ReplyParts): Uint8Array {
  const edns = query.additionals?.find((record) => record.type === 'OPT');
  const offered = edns?.type === 'OPT' ? edns.udpPayloadSize : UDP_BYTES_MIN;
  const limit = Math.min(Math.max(offered, UDP_BYTES_MIN), UDP_BYTES_MAX);
  const whole = reply(query, parts);
  if (whole.length <= limit) return whole;
  return reply(query, { ...parts, answers: [], additionals: [], authorities: [] }, TRUNCATED);
}

function toPacketAnswer(record: DnsRecord): Answer {
  const common = { name: record.name, ttl: TTL_SECONDS };
  switch (record.type) {
    case 'SRV':
      return { ...common, type: 'SRV', data: record.data };
    case 'TXT':
      return { ...common, type: 'TXT', data: record.data };
    default:
      return { ...common, type: record.type, data: record.data };
  }
}

// Negative answers carry it, so that resolvers know how long to believe them (RFC 2308).
function startOfAuthority(domain: string): Answer {
  return {
    type: 'SOA',
    name: domain,
    ttl: TTL_SECONDS,
    data: {
      mname: `ns.dns.${domain}`,
      rname: `hostmaster.${domain}`,
      serial: 1,
      refresh: 7_200,
      retry: 1_800,
      expire: 86_400,
      minimum: TTL_SECONDS,
    },
  };
}

/** Starts at another record each time, so that clients which take the first address are spread over all. */
function rotated(records: readonly DnsRecord[], turn: number): DnsRecord[] {
  const start = records.length === 0 ? 0 : turn % records.length;
  return [...records.slice(start), ...records.slice(0, start)];
}
