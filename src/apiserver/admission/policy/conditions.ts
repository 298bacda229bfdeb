import { CelError } from '#machinery/cel/errors.ts';
import type { Activation } from './activation.ts';
import type { CompiledCondition } from './compiled-policy.ts';
import { Budget } from './policy-variables.ts';

/** `apis/cel`'s RuntimeCELCostBudgetMatchConditions. */
const COST_BUDGET = 2_500_000;

export type ConditionsResult =
  | { readonly type: 'matches' }
  | { readonly type: 'differs'; readonly condition: string }
  | { readonly type: 'error'; readonly message: string };

/**
 * Whether all match conditions hold (KEP-3716). One that does not hold wins over errors of others, which count only
 * where nothing else decides.
 */
export function checkConditions(conditions: readonly CompiledCondition[], activation: Activation): ConditionsResult {
  const budget = new Budget(COST_BUDGET);
  const errors: string[] = [];
  for (const { name, compiled } of conditions) {
    if ('problem' in compiled) {
      errors.push(compiled.problem);
      continue;
    }
    try {
      if (budget.evaluate(compiled.program, activation) !== true) return { type: 'differs', condition: name };
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      errors.push(`expression '${compiled.expression}' resulted in error: ${error.message}`);
    }
  }
  if (errors.length === 0) return { type: 'matches' };
  return { type: 'error', message: errors.length === 1 ? (errors[0] ?? '') : `[${errors.join(', ')}]` };
}
