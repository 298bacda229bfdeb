import { Counter, Histogram, type Registry } from 'prom-client';

const DURATION_BUCKETS_SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 25];
/** Codes beyond HTTP's count as one. */
const CODE_MAX = 600;

export interface WebhookLabels {
  readonly name: string;
  readonly type: 'admit' | 'validating';
  readonly operation: string;
}

/** What admission webhooks answer, and how fast. */
export class WebhookMetrics {
  readonly #durations: Histogram;
  readonly #requests: Counter;
  readonly #rejections: Counter;
  readonly #failOpen: Counter;
  readonly #exclusions: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    const own = ['name', 'type', 'operation'];
    this.#durations = new Histogram({
      name: 'apiserver_admission_webhook_admission_duration_seconds',
      help: 'Time that one admission webhook takes to answer.',
      labelNames: [...own, 'rejected'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#requests = new Counter({
      name: 'apiserver_admission_webhook_request_total',
      help: 'Calls of admission webhooks, by the code of the answer.',
      labelNames: [...own, 'code', 'rejected'],
      registers,
    });
    this.#rejections = new Counter({
      name: 'apiserver_admission_webhook_rejection_count',
      help: 'Requests that failed because of an admission webhook, by cause.',
      labelNames: [...own, 'error_type', 'rejection_code'],
      registers,
    });
    this.#failOpen = new Counter({
      name: 'apiserver_admission_webhook_fail_open_count',
      help: 'Calls of admission webhooks that failed and did not count.',
      labelNames: ['name', 'type'],
      registers,
    });
    this.#exclusions = new Counter({
      name: 'apiserver_admission_match_condition_exclusions_total',
      help: 'Requests that match conditions left out.',
      labelNames: [...own, 'kind'],
      registers,
    });
  }

  answered(labels: WebhookLabels, outcome: { code: number; rejected: boolean; seconds: number }): void {
    const { name, type, operation } = labels;
    const rejected = String(outcome.rejected);
    this.#durations.observe({ name, type, operation, rejected }, outcome.seconds);
    this.#requests.inc({ name, type, operation, code: codeText(outcome.code), rejected });
  }

  rejected({ name, type, operation }: WebhookLabels, cause: { errorType: string; code: number }): void {
    const codes = { error_type: cause.errorType, rejection_code: codeText(cause.code) };
    this.#rejections.inc({ name, type, operation, ...codes });
  }

  failedOpen({ name, type }: WebhookLabels): void {
    this.#failOpen.inc({ name, type });
  }

  excluded({ name, type, operation }: WebhookLabels): void {
    this.#exclusions.inc({ name, type, operation, kind: 'webhook' });
  }
}

function codeText(code: number): string {
  return String(Math.min(code, CODE_MAX));
}
