import { connect, createServer, type Server, type Socket } from 'node:net';
import type { RouteEndpoint } from '../routes.ts';
import type { EndpointChoice } from './endpoint-choice.ts';
import type { ServiceAddress, ServiceListener } from './listener.ts';

/** A peer that does not answer within this time counts as gone, and the next endpoint is tried. */
const CONNECT_TIMEOUT_MS = 3_000;
/** Connections that wait to be accepted, per listener. */
const BACKLOG = 512;
/** Connections under way, per listener; more are refused rather than eating the process's file descriptors. */
const CONNECTIONS_MAX = 1_024;

/** Passes each connection on to one endpoint. */
export class TcpListener implements ServiceListener {
  readonly choice: EndpointChoice;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(choice: EndpointChoice) {
    this.choice = choice;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  open({ host, port }: ServiceAddress): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #accept(client: Socket): void {
    this.#sockets.add(client);
    client.on('close', () => this.#sockets.delete(client));
    client.on('error', () => client.destroy());
    this.#dial(client, this.choice.candidates(client.remoteAddress ?? ''), 0);
  }

  /** Tries the endpoints in turn; the client waits unread meanwhile. */
  #dial(client: Socket, candidates: readonly RouteEndpoint[], attempt: number): void {
    const target = candidates[attempt];
    if (target === undefined || client.destroyed) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: target.ip, port: target.port, allowHalfOpen: true });
    upstream.setTimeout(CONNECT_TIMEOUT_MS, () => upstream.destroy(new Error('connect timeout')));
    const onFailure = () => this.#dial(client, candidates, attempt + 1);
    upstream.once('error', onFailure);
    upstream.once('connect', () => {
      this.choice.remember(client.remoteAddress ?? '', target);
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
