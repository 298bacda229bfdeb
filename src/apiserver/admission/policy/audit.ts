import type { AdmissionRequest } from '../../pipeline/types.ts';

/** Audit logs name at most so many failures of one request, as upstream's `maxValidationFailures`. */
const FAILURES_MAX = 50;
const ANNOTATION_CHARACTERS_MAX = 10 * 1024;
const FAILURES_KEY = 'validation.policy.admission.k8s.io/validation_failure';

/** A failed validation as the audit log shows it. */
export interface ValidationFailure {
  readonly message: string;
  readonly policy: string;
  readonly binding: string;
  readonly expressionIndex: number;
  readonly validationActions: readonly string[];
}

/** Notes the failures of all policies for one request. */
export function noteFailures({ annotations }: AdmissionRequest, failures: readonly ValidationFailure[]): void {
  if (failures.length === 0) return;
  annotations?.set(FAILURES_KEY, JSON.stringify(failures.slice(0, FAILURES_MAX)));
}

/** What the audit annotations of one policy say; bindings and parameters that say the same count once. */
export class AuditNotes {
  readonly #values = new Map<string, Set<string>>();

  add(key: string, value: string): void {
    const values = this.#values.get(key) ?? new Set();
    values.add(value.slice(0, ANNOTATION_CHARACTERS_MAX));
    this.#values.set(key, values);
  }

  publish(policy: string, { annotations }: AdmissionRequest): void {
    for (const [key, values] of this.#values) annotations?.set(`${policy}/${key}`, [...values].join(', '));
  }
}
