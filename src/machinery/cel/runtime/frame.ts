import { celError, COST_LIMIT_MESSAGE } from '../errors.ts';

/** One evaluation: its variables and what it has cost so far. */
export interface Frame {
  /** Variables by number; undefined where the activation has none. */
  readonly slots: unknown[];
  cost: number;
  readonly costLimit: number;
}

/** A compiled node. Fails with a `CelError`. */
export type Step = (frame: Frame) => unknown;

/** Adds to the cost; fails when the limit is passed. */
export function charge(frame: Frame, cost: number): void {
  frame.cost += cost;
  if (frame.cost > frame.costLimit) throw celError(COST_LIMIT_MESSAGE);
}

/** Costs as cel-go counts them: of reading a variable or field, and of making a list, a map or an object. */
export const SELECT_COST = 1;
export const LIST_COST = 10;
export const MAP_COST = 30;
export const STRUCT_COST = 40;
/** Of going once through a string, by code point; of applying a regular expression, by its length. */
export const STRING_FACTOR = 0.1;
export const REGEX_FACTOR = 0.25;
