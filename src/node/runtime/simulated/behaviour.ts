/**
 * How a pretended container behaves, from its pod's annotations `simulation.tiphys.io/KEY` or, for one container of
 * several, `simulation.tiphys.io/KEY.CONTAINER`. Durations are seconds, with or without an `s`.
 */
export interface Behaviour {
  /** Ends by itself after this long; absent: runs until it is stopped. */
  readonly exitAfterMs?: number;
  readonly exitCode: number;
  readonly isOomKilled: boolean;
  /** Takes this long to start. */
  readonly startDelayMs: number;
  /** Takes this long to end after the stop signal; longer than the grace period means that it is killed. */
  readonly stopDelayMs: number;
  /** Never, or only after this long, does it answer probes. */
  readonly isReady: boolean;
  readonly readyAfterMs: number;
  /** Its image cannot be pulled, and this is why. */
  readonly pullError?: string;
  /** It cannot be created or started, and this is why. */
  readonly createError?: string;
  readonly startError?: string;
  /** What it wrote to its log when it started. */
  readonly logText?: string;
  readonly terminationMessage?: string;
}

export const BEHAVIOUR_PREFIX = 'simulation.tiphys.io/';

export function behaviourOf(annotations: Readonly<Record<string, string>>, containerName: string): Behaviour {
  const text = (key: string): string | undefined =>
    annotations[`${BEHAVIOUR_PREFIX}${key}.${containerName}`] ?? annotations[`${BEHAVIOUR_PREFIX}${key}`];
  const ms = (key: string): number | undefined => {
    const seconds = Number(text(key)?.replace(/s$/, '') ?? 'absent');
    return Number.isFinite(seconds) ? seconds * 1000 : undefined;
  };
  return {
    ...optional('exitAfterMs', ms('exit-after')),
    exitCode: Number(text('exit-code') ?? '0') || 0,
    isOomKilled: text('oom-killed') === 'true',
    startDelayMs: ms('start-delay') ?? 0,
    stopDelayMs: ms('stop-delay') ?? 0,
    isReady: text('ready') !== 'false',
    readyAfterMs: ms('ready-after') ?? 0,
    ...optional('pullError', text('pull-error')),
    ...optional('createError', text('create-error')),
    ...optional('startError', text('start-error')),
    ...optional('logText', text('log')),
    ...optional('terminationMessage', text('termination-message')),
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  // Safe: the object has the key only where the value is there.
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}
