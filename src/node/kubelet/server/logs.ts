import { type Clock, parseTime } from '#machinery/clock/clock.ts';
import { chooseLog } from '../logs/pod-log.ts';
import { type LogOptions, readLog } from '../logs/read-log.ts';
import { containerSpec, podName } from '../pod/pod.ts';
import { type FoundPod, HttpProblem } from './find.ts';
import type { KubeletAnswer } from './answer.ts';

export interface LogExchange {
  readonly container: string;
  readonly query: URLSearchParams;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly readLog?: (containerId: string) => string | undefined;
}

const HEADERS = { 'content-type': 'text/plain' };

/** `/containerLogs/NAMESPACE/POD/CONTAINER`: the log as the query asks for it. Throws an `HttpProblem` where there is none. */
export async function logAnswer(found: FoundPod, exchange: LogExchange): Promise<KubeletAnswer> {
  const { worker, services } = found;
  const { container, query, clock, signal } = exchange;
  if (containerSpec(worker.pod, container) === undefined) {
    throw new HttpProblem(404, `container "${container}" not found in pod "${podName(worker.pod)}"`);
  }
  const options = logOptions(query, clock);
  const choice = chooseLog(services, worker, { containerName: container, isPrevious: isTrue(query.get('previous')) });
  if (choice.type === 'refused') throw new HttpProblem(400, choice.message);
  const { containerId, path } = choice;
  const kept = exchange.readLog?.(containerId);
  if (kept !== undefined) {
    return { type: 'bytes', status: 200, headers: HEADERS, body: [Buffer.from(lastLines(kept, options.tailLines))] };
  }
  const { files } = services.host;
  if ((await files.stat(path)) === undefined) {
    const why = `lstat ${path}: no such file or directory`;
    throw new HttpProblem(500, `failed to try resolving symlinks in path "${path}": ${why}`);
  }
  const isRunning = async () => (await services.runtime.containerStatus(containerId))?.state === 'RUNNING';
  return {
    type: 'stream',
    status: 200,
    headers: HEADERS,
    body: readLog({ files, clock, path, isRunning, signal }, options),
  };
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
