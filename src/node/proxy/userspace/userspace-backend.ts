import { createServer, connect, type Server, type Socket } from 'node:net';
import type { Logger } from '#machinery/log/logger.ts';
import type { Random } from '#machinery/random/random.ts';
import type { ProxyBackend, RouteChange } from '../backend.ts';
import type { Route, RouteEndpoint } from '../routes.ts';

/** A peer that does not answer within this time counts as gone, and the next endpoint is tried. */
const CONNECT_TIMEOUT_MS = 3_000;
/** Connections that wait to be accepted, per listener. */
const BACKLOG = 512;
/** Connections under way, per listener; more are refused rather than eating the process's file descriptors. */
const CONNECTIONS_MAX = 1_024;

interface Listener {
  readonly server: Server;
  readonly sockets: Set<Socket>;
  route: Route;
  isExternal: boolean;
}

/**
 * Service routing without root: a listener for each cluster IP and port that this user may bind (with a service
 * range inside 127.0.0.0/8, all ports from 1024 up), and for each node port. TCP only; what cannot be bound is logged
 * once and stays unserved.
 */
export class UserspaceBackend implements ProxyBackend {
  readonly name = 'userspace';
  readonly #log: Logger;
  readonly #random: Random;
  readonly #listeners = new Map<string, Listener>();

  constructor(deps: { log: Logger; random: Random }) {
    this.#log = deps.log;
    this.#random = deps.random;
  }

  async start(): Promise<void> {
    // Listeners live in this process: nothing can be left from an earlier one.
  }

  async apply(changes: readonly RouteChange[]): Promise<void> {
    const wanted = new Map<string, { route: Route; isExternal: boolean }>();
    const unwanted = new Set<string>();
    for (const { previous } of changes) for (const { address } of addressesOf(previous)) unwanted.add(address);
    for (const { next } of changes) {
      for (const { address, isExternal } of addressesOf(next)) {
        if (next !== undefined) wanted.set(address, { route: next, isExternal });
        unwanted.delete(address);
      }
    }
    for (const address of unwanted) await this.#close(address);
    for (const [address, { route, isExternal }] of wanted) {
      const listener = this.#listeners.get(address);
      if (listener === undefined) await this.#open(address, route, isExternal);
      else listener.route = route;
    }
  }

  async stop(): Promise<void> {
    for (const address of this.#listeners.keys()) await this.#close(address);
  }

  #open(address: string, route: Route, isExternal: boolean): Promise<void> {
    const server = createServer({ allowHalfOpen: true });
    const listener: Listener = { server, sockets: new Set(), route, isExternal };
    server.maxConnections = CONNECTIONS_MAX;
    server.on('connection', (socket) => this.#accept(listener, socket));
    return new Promise((resolve) => {
      server.once('error', (error) => {
        this.#log.warn('cannot serve a service address', { address, service: route.id, error: error.message });
        resolve();
      });
      const { host, port } = splitAddress(address);
      server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#listeners.set(address, listener);
        resolve();
      });
    });
  }

  #close(address: string): Promise<void> {
    const listener = this.#listeners.get(address);
    if (listener === undefined) return Promise.resolve();
    this.#listeners.delete(address);
    for (const socket of listener.sockets) socket.destroy();
    return new Promise((resolve) => {
      listener.server.close(() => resolve());
    });
  }

  #accept(listener: Listener, client: Socket): void {
    listener.sockets.add(client);
    client.on('close', () => listener.sockets.delete(client));
    client.on('error', () => client.destroy());
    const candidates = listener.isExternal ? listener.route.externalEndpoints : listener.route.endpoints;
    const start = candidates.length === 0 ? 0 : this.#random.int(candidates.length);
    this.#dial(client, candidates, { start, attempt: 0 });
  }

  /** Tries the endpoints in turn from a random one; the client waits unread meanwhile. */
  #dial(client: Socket, candidates: readonly RouteEndpoint[], turn: { start: number; attempt: number }): void {
    const target = candidates[(turn.start + turn.attempt) % Math.max(candidates.length, 1)];
    if (target === undefined || turn.attempt >= candidates.length || client.destroyed) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: target.ip, port: target.port, allowHalfOpen: true });
    upstream.setTimeout(CONNECT_TIMEOUT_MS, () => upstream.destroy(new Error('connect timeout')));
    const onFailure = () => this.#dial(client, candidates, { start: turn.start, attempt: turn.attempt + 1 });
    upstream.once('error', onFailure);
    upstream.once('connect', () => {
      upstream.off('error', onFailure);
      upstream.setTimeout(0);
      upstream.on('error', () => client.destroy());
      upstream.on('close', () => client.destroy());
      client.on('close', () => upstream.destroy());
      client.pipe(upstream);
      upstream.pipe(client);
    });
  }
}

function addressesOf(route: Route | undefined): { address: string; isExternal: boolean }[] {
  if (route === undefined || route.protocol !== 'tcp') return [];
  const addresses = route.clusterIps.map((ip) => ({ address: `${ip}:${route.port}`, isExternal: false }));
  if (route.nodePort > 0) addresses.push({ address: `127.0.0.1:${route.nodePort}`, isExternal: true });
  return addresses;
}

function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}
