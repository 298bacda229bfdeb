import { deepEqual } from '#machinery/codec/deep.ts';
import { COST_LIMIT_MESSAGE } from '#machinery/cel/errors.ts';
import type { CelProgram } from '#machinery/cel/program.ts';
import { isEqual } from '#machinery/cel/values/equality.ts';
import { CelOptional } from '#machinery/cel/values/value.ts';
import {
  duplicateValue,
  type FieldError,
  forbiddenValue,
  invalidValue,
  required,
} from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { type Correlation, correlatedField, correlatedItem, rootCorrelation } from '../structural/correlation.ts';
import {
  isEmbedded,
  isObject,
  itemsOf,
  type JsonSchema,
  propertyOf,
  someSchema,
  type ValidationRule,
  valuesOf,
} from '../structural/json-schema.ts';
import { type CompiledRule, compiledRules } from './compile-rules.ts';

/** What all rules of one object may cost together. */
const COST_BUDGET = 10_000_000;
const PER_CALL_COST = 1_000_000;
const MESSAGE_BYTES_MAX = 5 * 1024;
const OUT_OF_BUDGET = 'validation failed due to running out of cost budget, no further validation rules will be run';

const withRules = new WeakMap<JsonSchema, boolean>();

/** Whether a schema, or one within it, has rules. */
export function hasRules(schema: JsonSchema): boolean {
  let known = withRules.get(schema);
  if (known === undefined) {
    known = someSchema(schema, (node) => (node['x-kubernetes-validations'] ?? []).length > 0);
    withRules.set(schema, known);
  }
  return known;
}

/** Evaluates all rules of a schema on a value, and on its change where there was one before. */
export function evaluateRules(
  value: unknown,
  schema: JsonSchema,
  { path, old }: { path: FieldPath; old: unknown },
): FieldError[] {
  const evaluation = new Evaluation();
  const current = rootCorrelation(schema, { value, old });
  const ratchet: Ratchet = { current, nearest: undefined, isOn: current !== undefined };
  evaluation.visit({ value, old, schema, path, isResource: true, ratchet });
  return evaluation.errors;
}

/** Whether an error about an unchanged part is to be passed over (KEP-4008). */
interface Ratchet {
  readonly current: Correlation | undefined;
  readonly nearest: Correlation | undefined;
  readonly isOn: boolean;
}

interface Visit {
  readonly value: unknown;
  readonly old: unknown;
  readonly schema: JsonSchema;
  readonly path: FieldPath;
  readonly isResource: boolean;
  readonly ratchet: Ratchet;
}

class Evaluation {
  readonly errors: FieldError[] = [];
  #budget = COST_BUDGET;

  visit(visit: Visit): void {
    const { value, schema } = visit;
    if (value === null || value === undefined || !hasRules(schema) || this.#budget < 0) return;
    this.#evaluate(visit);
    if (this.#budget < 0) return;
    if (Array.isArray(value)) this.#visitItems(value, visit);
    else if (isObject(value)) this.#visitFields(value, visit);
  }

  #visitItems(list: readonly unknown[], { schema, old, path, ratchet }: Visit): void {
    const items = itemsOf(schema);
    if (items === undefined) return;
    for (const [index, value] of list.entries()) {
      const match = correlatedItem({ schema, value: list, old }, index);
      const inner = ratchet.current === undefined ? ratchet : ratchetOf(ratchet, match);
      this.visit({
        value,
        old: match?.old,
        schema: items,
        path: path.index(index),
        isResource: isEmbedded(items),
        ratchet: inner,
      });
    }
  }

  #visitFields(fields: Record<string, unknown>, { schema, old, path, ratchet }: Visit): void {
    for (const [name, value] of Object.entries(fields)) {
      const property = propertyOf(schema, name);
      const inner = property ?? valuesOf(schema);
      if (inner === undefined) continue;
      const before = isObject(old) && Object.hasOwn(old, name) ? old[name] : undefined;
      const { current } = ratchet;
      this.visit({
        value,
        old: before,
        schema: inner,
        path: property === undefined ? path.key(name) : path.child(name),
        isResource: isEmbedded(inner),
        ratchet: current === undefined ? ratchet : ratchetOf(ratchet, correlatedField(current, name)),
      });
    }
  }

  #evaluate(visit: Visit): void {
    const { schema, isResource, path } = visit;
    for (const rule of compiledRules(schema, { isResource })) {
      if (this.#budget <= 0) {
        this.errors.push(invalidValue(path, schema.type ?? '', OUT_OF_BUDGET));
        this.#budget = -1;
      } else this.#evaluateOne(rule, visit);
      if (this.#budget < 0) return;
    }
  }

  #evaluateOne(compiled: CompiledRule, { value, old, schema, path, ratchet }: Visit): void {
    const { rule, program, usesOldSelf, error } = compiled;
    const type = schema.type ?? '';
    if (error !== undefined) {
      this.errors.push(invalidValue(path, type, `rule compile error: ${error}`));
      return;
    }
    const isOptional = rule.optionalOldSelf === true;
    if (program === undefined || (usesOldSelf && old === undefined && !isOptional)) return;
    const oldSelf = isOptional ? optionalOf(old) : old;
    const activation = { self: value, ...(oldSelf === undefined ? {} : { oldSelf }) };
    const result = program.evaluateSafely(activation, { costLimit: PER_CALL_COST });
    if (!this.#spend(result.cost)) {
      this.errors.push(invalidValue(path, type, OUT_OF_BUDGET));
      return;
    }
    if ('error' in result) {
      this.#failed(result.error.message, { rule, type, path });
      return;
    }
    if (result.value === true) return;
    const isUnchanged = !usesOldSelf && isRatcheted(ratchet);
    const detail = this.#messageOf(compiled, activation) ?? defaultMessage(rule);
    if (isUnchanged || this.#budget < 0) return;
    const at = compiled.fieldPath === undefined ? path : path.child(compiled.fieldPath);
    this.errors.push(errorOf(rule, { at, detail, value, isContainer: type === 'object' || type === 'array' }));
  }

  #spend(cost: number): boolean {
    if (cost > this.#budget) {
      this.#budget = -1;
      return false;
    }
    this.#budget -= cost;
    return true;
  }

  #failed(message: string, { rule, type, path }: { rule: ValidationRule; type: string; path: FieldPath }): void {
    const text = rule.rule.trim();
    if (message.startsWith('no such overload')) {
      const detail = `'${message}': call arguments did not match a supported operator, function or macro signature for rule: ${text}`;
      this.errors.push(invalidValue(path, type, detail));
    } else if (message.startsWith(COST_LIMIT_MESSAGE)) {
      const detail = `'${message}': no further validation rules will be run due to call cost exceeds limit for rule: ${text}`;
      this.errors.push(invalidValue(path, type, detail));
      this.#budget = -1;
    } else this.errors.push(invalidValue(path, type, `${message} evaluating rule: ${text}`));
  }

  /** What the rule's expression says, or undefined where it says nothing that can be shown. */
  #messageOf({ message }: CompiledRule, activation: Readonly<Record<string, unknown>>): string | undefined {
    return message === undefined ? undefined : this.#evaluateMessage(message, activation);
  }

  #evaluateMessage(program: CelProgram, activation: Readonly<Record<string, unknown>>): string | undefined {
    const result = program.evaluateSafely(activation, { costLimit: PER_CALL_COST });
    if (!this.#spend(result.cost) || 'error' in result || typeof result.value !== 'string') return undefined;
    const text = result.value.trim();
    const isShown = text !== '' && !/[\n\r]/.test(text) && Buffer.byteLength(text) <= MESSAGE_BYTES_MAX;
    return isShown ? text : undefined;
  }
}

function ratchetOf({ current, isOn }: Ratchet, child: Correlation | undefined): Ratchet {
  return { current: child, nearest: current, isOn };
}

function isRatcheted({ current, nearest, isOn }: Ratchet): boolean {
  const correlation = current ?? nearest;
  return isOn && correlation !== undefined && deepEqual(correlation.value, correlation.old);
}

function optionalOf(old: unknown): CelOptional {
  return old === undefined ? CelOptional.NONE : CelOptional.of(old, isEqual);
}

function defaultMessage({ rule, message = '' }: ValidationRule): string {
  return message === '' ? `failed rule: ${rule.trim()}` : message.trim();
}

function errorOf(
  { reason }: ValidationRule,
  { at, detail, value, isContainer }: { at: FieldPath; detail: string; value: unknown; isContainer: boolean },
): FieldError {
  switch (reason) {
    case 'FieldValueForbidden':
      return forbiddenValue(at, detail);
    case 'FieldValueRequired':
      return required(at, detail);
    case 'FieldValueDuplicate':
      return isContainer
        ? { reason: 'FieldValueDuplicate', field: at.toString(), message: 'Duplicate value' }
        : duplicateValue(at, value);
    default:
      return isContainer
        ? { reason: 'FieldValueInvalid', field: at.toString(), message: `Invalid value: ${detail}` }
        : invalidValue(at, value, detail);
  }
}
