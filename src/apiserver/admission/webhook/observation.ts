import type { AdmissionRequest } from '../../pipeline/types.ts';
import type { ConfiguredWebhook } from './configured-webhooks.ts';
import { CallError, Rejection } from './failures.ts';

/** Runs one call of a webhook and counts how it ended, under upstream's names. */
export async function observed<T>(
  { metrics, operation }: AdmissionRequest,
  { webhook, type, now }: { webhook: ConfiguredWebhook['webhook']; type: 'admit' | 'validating'; now: () => number },
  call: () => Promise<T>,
): Promise<T> {
  const startedMs = now();
  const labels = { name: webhook.name, type, operation };
  const ended = (code: number, rejected: boolean): void =>
    metrics?.answered(labels, { code, rejected, seconds: (now() - startedMs) / 1000 });
  try {
    const result = await call();
    ended(200, false);
    return result;
  } catch (error) {
    if (error instanceof CallError) {
      const isOpen = webhook.failurePolicy === 'Ignore';
      if (isOpen) metrics?.failedOpen(labels);
      else metrics?.rejected(labels, { errorType: 'calling_webhook_error', code: error.status });
      ended(error.status, !isOpen);
    } else if (error instanceof Rejection) {
      metrics?.rejected(labels, { errorType: 'no_error', code: error.refusal.code });
      ended(error.refusal.code, true);
    } else {
      metrics?.rejected(labels, { errorType: 'apiserver_internal_error', code: 0 });
      ended(0, true);
    }
    throw error;
  }
}
