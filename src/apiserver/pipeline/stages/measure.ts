import type { Clock } from '#machinery/clock/clock.ts';
import { toStatusError } from '../../errors.ts';
import type { Metrics } from '../../metrics/server-metrics.ts';
import { isLongRunning } from '../long-running.ts';
import type { ApiResponse, Stage } from '../types.ts';

const READING_VERBS = new Set(['get', 'list', 'watch']);

/** Counts requests and their time. */
export function measure({ metrics, clock }: { metrics: Metrics; clock: Clock }): Stage {
  return async (context, next) => {
    const startedMs = clock.monotonic();
    const isLong = isLongRunning(context.info);
    const isReading = READING_VERBS.has(context.info.verb);
    const ended = isLong && metrics.isKnown(context) ? metrics.watches.began(context) : undefined;
    if (!isLong) metrics.requests.started(isReading);
    let code = 500;
    let response: ApiResponse | undefined;
    try {
      response = await next();
      code = response.type === 'upgrade' ? 101 : response.status;
      return ended === undefined ? response : metrics.watches.followed(context, response, ended);
    } catch (error) {
      ({ code } = toStatusError(error));
      throw error;
    } finally {
      if (!isLong) metrics.requests.finished(isReading);
      // Of other long ones the answer is all that this stage sees.
      if (response?.type !== 'watch') ended?.();
      const seconds = (clock.monotonic() - startedMs) / 1000;
      metrics.requests.observe(context, { code, seconds, ...(response === undefined ? {} : { response }) });
    }
  };
}
