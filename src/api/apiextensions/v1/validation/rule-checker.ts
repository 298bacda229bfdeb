import type { FieldError } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { JsonSchema } from '../../structural/json-schema.ts';
import type { RuleCheck } from './schema-rules.ts';

/** Compiles the rules of a schema and adds up what they may cost. */
export interface RuleChecker {
  readonly check: RuleCheck;
  /** Errors about the schema as a whole: its rules together cost too much. */
  totals(): FieldError[];
}

export function newRuleChecker(
  _schema: JsonSchema,
  _options: { path: FieldPath; isUnchanged: boolean },
): RuleChecker | undefined {
  return undefined;
}
