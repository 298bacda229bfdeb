import type { Registry } from 'prom-client';
import type { AuthorizationDecision } from '../pipeline/types.ts';
import { SeriesCounter, SeriesHistogram } from './series.ts';

const DURATION_BUCKETS_SECONDS = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 4, 8, 16];

const DECISIONS = { allow: 'allowed', deny: 'denied', noOpinion: 'no-opinion' } as const;

/** Who could be told, and what they were allowed. */
export class SecurityMetrics {
  readonly #attempts: SeriesCounter;
  readonly #users: SeriesCounter;
  readonly #authenticationSeconds: SeriesHistogram;
  readonly #decisions: SeriesCounter;
  readonly #authorizationSeconds: SeriesHistogram;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#attempts = new SeriesCounter({
      name: 'authentication_attempts',
      help: 'Requests whose sender was looked for, by result.',
      labelNames: ['result'],
      registers,
    });
    this.#users = new SeriesCounter({
      name: 'authenticated_user_requests',
      help: 'Requests of known senders; all but a few names count as "other".',
      labelNames: ['username'],
      registers,
    });
    this.#authenticationSeconds = new SeriesHistogram({
      name: 'authentication_duration_seconds',
      help: 'Time to find out who sent a request.',
      labelNames: ['result'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#decisions = new SeriesCounter({
      name: 'authorization_attempts_total',
      help: 'Questions whether a request is allowed, by result.',
      labelNames: ['result'],
      registers,
    });
    this.#authorizationSeconds = new SeriesHistogram({
      name: 'authorization_duration_seconds',
      help: 'Time to decide whether a request is allowed.',
      labelNames: ['result'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
  }

  authenticated(result: 'success' | 'failure' | 'error', seconds: number, username = ''): void {
    this.#attempts.series({ result }).inc();
    this.#authenticationSeconds.series({ result }).observe(seconds);
    if (result === 'success') this.#users.series({ username: username === 'admin' ? username : 'other' }).inc();
  }

  decided(decision: AuthorizationDecision['type'] | 'error', seconds: number): void {
    const result = decision === 'error' ? decision : DECISIONS[decision];
    this.#decisions.series({ result }).inc();
    this.#authorizationSeconds.series({ result }).observe(seconds);
  }
}
