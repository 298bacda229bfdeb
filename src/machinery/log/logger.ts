import type { Clock } from '../clock/clock.ts';
import { formatMicroTime } from '../clock/clock.ts';

export type LogFields = Record<string, unknown>;

/** Structured log of one component. Messages are sentences without a full stop; facts go into fields. */
export interface Logger {
  /** `verbosity` as klog's `-v` levels: shown where the logger's verbosity is at least this. Default 2. */
  debug(message: string, fields?: LogFields, verbosity?: number): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  with(fields: LogFields): Logger;
}

interface TextLoggerDeps {
  /** Receives one line, newline included. */
  readonly write: (line: string) => void;
  readonly clock: Clock;
  /** klog's `-v`; default 0. */
  readonly verbosity?: number;
}

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => SILENT,
};

export const silentLogger: Logger = SILENT;

/** Writes klog's text lines: `I0102 15:04:05.000000    1234 component] "message" key="value"`. */
export function textLogger(deps: TextLoggerDeps, bound: LogFields = {}): Logger {
  const line = (severity: string, message: string, fields: LogFields | undefined): void => {
    deps.write(`${header(severity, deps.clock.now())}] ${JSON.stringify(message)}${pairs({ ...bound, ...fields })}\n`);
  };
  const verbosity = deps.verbosity ?? 0;
  return {
    debug: (message, fields, level = 2) => {
      if (verbosity >= level) line('I', message, fields);
    },
    info: (message, fields) => line('I', message, fields),
    warn: (message, fields) => line('W', message, fields),
    error: (message, fields) => line('E', message, fields),
    with: (fields) => textLogger(deps, { ...bound, ...fields }),
  };
}

function header(severity: string, epochMs: number): string {
  const iso = formatMicroTime(epochMs);
  const pid = String(process.pid).padStart(7, ' ');
  return `${severity}${iso.slice(5, 7)}${iso.slice(8, 10)} ${iso.slice(11, 23)}000 ${pid} tiphys`;
}

function pairs(fields: LogFields): string {
  let text = '';
  for (const [key, value] of Object.entries(fields)) text += ` ${key}=${printField(value)}`;
  return text;
}

function printField(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return value.toString();
  return JSON.stringify(value) ?? 'null';
}
