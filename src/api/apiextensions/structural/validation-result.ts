import { encodeValue } from '#machinery/codec/json.ts';
import {
  type FieldError,
  invalidValue,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';

/** What is wrong with one value, as upstream's schema validator tells it. */
export interface Finding {
  readonly type: 'required' | 'enum' | 'tooLong' | 'tooMany' | 'type' | 'invalid' | 'general';
  /** `spec.replicas`; what upstream says about junctors has no place. */
  readonly name: string;
  /** The whole sentence; findings of one sentence are one. */
  readonly text: string;
  readonly value?: unknown;
  /** The limit that was passed, or the values that are allowed. */
  readonly limit?: number;
  readonly allowed?: readonly unknown[];
}

/** Findings about a value, and how much of a schema it met: which of several alternatives came closest. */
export class ValidationResult {
  readonly findings: Finding[] = [];
  matches = 0;

  get isValid(): boolean {
    return this.findings.length === 0;
  }

  add(finding: Finding): void {
    if (!this.findings.some((known) => known.text === finding.text)) this.findings.push(finding);
  }

  merge(other: ValidationResult): void {
    for (const finding of other.findings) this.add(finding);
    this.matches += other.matches;
  }
}

/** Findings as the field errors that clients see; `path` is where the validated value stands. */
export function fieldErrorsOf({ findings }: ValidationResult, path: FieldPath): FieldError[] {
  return findings.map((finding) => fieldErrorOf(finding, path));
}

function fieldErrorOf({ type, name, text, value, limit = -1, allowed = [] }: Finding, path: FieldPath): FieldError {
  const trimmed = name.replace(/^\./, '');
  const at = trimmed === '' ? path : path.child(trimmed);
  switch (type) {
    case 'required':
      return required(at, '');
    case 'enum':
      return notSupported(
        at,
        value,
        allowed.map((one) => (typeof one === 'string' ? one : encodeValue(one))),
      );
    case 'tooLong':
      return tooLong(at, limit);
    case 'tooMany':
      return tooMany(at, typeof value === 'number' ? value : -1, limit);
    case 'type':
      return typeInvalid(at, value ?? '', text);
    case 'invalid':
      return invalidValue(at, value ?? '', text);
    case 'general':
      return invalidValue(path, '', text);
    default:
      return type satisfies never;
  }
}
