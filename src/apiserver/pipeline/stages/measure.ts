import type { Clock } from '#machinery/clock/clock.ts';
import { toStatusError } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import { isLongRunning } from '../long-running.ts';
import type { Stage } from '../types.ts';

const READING_VERBS = new Set(['get', 'list', 'watch']);

/** Counts requests and their time. */
export function measure({ metrics, clock }: { metrics: Metrics; clock: Clock }): Stage {
  return async (context, next) => {
    const startedMs = clock.monotonic();
    const isCounted = !isLongRunning(context.info);
    const isReading = READING_VERBS.has(context.info.verb);
    if (isCounted) metrics.started(isReading);
    let code = 500;
    try {
      const response = await next();
      code = response.type === 'upgrade' ? 101 : response.status;
      return response;
    } catch (error) {
      ({ code } = toStatusError(error));
      throw error;
    } finally {
      if (isCounted) metrics.finished(isReading);
      metrics.observe(context, code, (clock.monotonic() - startedMs) / 1000);
    }
  };
}
