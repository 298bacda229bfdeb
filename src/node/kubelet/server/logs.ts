import type { ServerResponse } from 'node:http';
import { type Clock, parseTime } from '#machinery/clock/clock.ts';
import { chooseLog } from '../logs/pod-log.ts';
import { type LogOptions, readLog } from '../logs/read-log.ts';
import { containerSpec, podName } from '../pod/pod.ts';
import { type FoundPod, HttpProblem } from './find.ts';

export interface LogExchange {
  readonly container: string;
  readonly query: URLSearchParams;
  readonly response: ServerResponse;
  readonly clock: Clock;
  readonly readLog?: (containerId: string) => string | undefined;
}

/** `/containerLogs/NAMESPACE/POD/CONTAINER`: the log as the query asks for it. */
export async function serveLogs(found: FoundPod, exchange: LogExchange): Promise<void> {
  const { worker, services } = found;
  const { container, response, query, clock } = exchange;
  if (containerSpec(worker.pod, container) === undefined) {
    throw new HttpProblem(404, `container "${container}" not found in pod "${podName(worker.pod)}"`);
  }
  const options = logOptions(query, clock);
  const choice = chooseLog(services, worker, { containerName: container, isPrevious: isTrue(query.get('previous')) });
  if (choice.type === 'refused') throw new HttpProblem(400, choice.message);
  const { containerId, path } = choice;
  const kept = exchange.readLog?.(containerId);
  if (kept !== undefined) {
    response.writeHead(200, { 'Content-Type': 'text/plain' });
    response.end(lastLines(kept, options.tailLines));
    return;
  }
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const isRunning = async () => (await services.runtime.containerStatus(containerId))?.state === 'RUNNING';
  response.writeHead(200, { 'Content-Type': 'text/plain' });
  // kubectl logs -f waits for the headers before it says anything.
  response.flushHeaders();
  for await (const piece of readLog(
    { files: services.host.files, clock, path, isRunning, signal: gone.signal },
    options,
  )) {
    if (!response.write(piece)) await drained(response, gone.signal);
  }
  response.end();
}

function logOptions(query: URLSearchParams, clock: Clock): LogOptions {
  const tailLines = wholeNumber(query, 'tailLines');
  const limitBytes = wholeNumber(query, 'limitBytes');
  const sinceSeconds = wholeNumber(query, 'sinceSeconds');
  const sinceTime = query.get('sinceTime');
  const sinceMs =
    sinceSeconds === undefined
      ? sinceTime === null
        ? undefined
        : parseTime(sinceTime)
      : clock.now() - sinceSeconds * 1000;
  const stream = query.get('stream');
  return {
    follow: isTrue(query.get('follow')),
    timestamps: isTrue(query.get('timestamps')),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(stream === 'Stdout' ? { stream: 'stdout' as const } : {}),
    ...(stream === 'Stderr' ? { stream: 'stderr' as const } : {}),
  };
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d+$/.test(text)) throw new HttpProblem(400, `invalid ${name}: "${text}"`);
  return Number(text);
}

function isTrue(text: string | null): boolean {
  return text === 'true' || text === '1';
}

function lastLines(text: string, count: number | undefined): string {
  if (count === undefined) return text;
  const lines = text.split('\n').slice(0, -1);
  return lines
    .slice(Math.max(0, lines.length - count))
    .map((line) => `${line}\n`)
    .join('');
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    signal.addEventListener('abort', done);
  });
}
