import { createServer, type Server } from 'node:http';
import type { Clock } from '#machinery/clock/clock.ts';

/** The proxy's `/healthz` and `/livez` on port 10256, as load balancers probe them (KEP-3836). */
export function listenProxyHealth(options: {
  host: string;
  port: number;
  clock: Clock;
  isHealthy: () => boolean;
  lastSyncMs: () => number;
}): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url !== '/healthz' && request.url !== '/livez') {
      response.writeHead(404).end();
      return;
    }
    const format = (epochMs: number) => JSON.stringify(epochMs);
    const body = `{"lastUpdated": ${format(options.lastSyncMs())},"currentTime": ${format(options.clock.now())}}`;
    response.writeHead(options.isHealthy() ? 200 : 503, { 'content-type': 'application/json' }).end(body);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve(server));
  });
}
