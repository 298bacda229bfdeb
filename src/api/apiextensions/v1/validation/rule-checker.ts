import { type FieldError, forbiddenValue, invalidValue } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { type CompiledRule, compiledRules } from '../../rules/compile-rules.ts';
import { isEmbedded, itemsOf, type JsonSchema, valuesOf } from '../../structural/json-schema.ts';
import type { RuleCheck } from './schema-rules.ts';

/** What one rule may cost, as estimated from the limits of its schema. */
const RULE_COST_MAX = 10_000_000;
/** What all rules of a schema may cost together. */
const SCHEMA_COST_MAX = 100_000_000;
/** Of rules that are too costly together, so many are named. */
const NAMED_MAX = 4;

/** Compiles the rules of a schema and adds up what they may cost. */
export interface RuleChecker {
  readonly check: RuleCheck;
  /** Errors about the schema as a whole: its rules together cost too much. */
  totals(): FieldError[];
}

export function newRuleChecker(
  schema: JsonSchema,
  { path, isUnchanged }: { path: FieldPath; isUnchanged: boolean },
): RuleChecker {
  const cardinalities = new Map<JsonSchema, number | undefined>();
  countIn(schema, 1, cardinalities);
  const costs: { path: FieldPath; cost: number }[] = [];
  let total = 0;
  const observe = (at: FieldPath, cost: number): void => {
    total += cost;
    if (cost >= SCHEMA_COST_MAX / 100) costs.push({ path: at, cost });
  };
  const check: RuleCheck = (part, { path: at, uncorrelated }) => {
    const isResource = part === schema || isEmbedded(part);
    const cardinality = cardinalities.get(part);
    return compiledRules(part, { isResource }).flatMap((compiled, index) => {
      const place = { at: at.child('x-kubernetes-validations').index(index), uncorrelated };
      const cost = times(compiled.maxCost, cardinality ?? compiled.maxCardinality);
      observe(place.at.child('rule'), cost);
      if (compiled.message !== undefined) observe(place.at.child('messageExpression'), compiled.messageMaxCost);
      return ruleErrors(compiled, { ...place, cost, isUnchanged });
    });
  };
  const totals = (): FieldError[] => {
    if (total <= SCHEMA_COST_MAX) return [];
    const named = costs.toSorted((a, b) => b.cost - a.cost).slice(0, NAMED_MAX);
    const detail = 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema';
    const what = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
    return [
      ...named.map((rule) => forbiddenValue(rule.path, detail)),
      forbiddenValue(path, costText(what, total, SCHEMA_COST_MAX)),
    ];
  };
  return { check, totals };
}

interface RulePlace {
  readonly at: FieldPath;
  readonly uncorrelated: FieldPath | undefined;
  readonly cost: number;
  readonly isUnchanged: boolean;
}

function ruleErrors(compiled: CompiledRule, { at, uncorrelated, cost, isUnchanged }: RulePlace): FieldError[] {
  const { rule, error, message, messageError, messageMaxCost, usesOldSelf } = compiled;
  const errors: FieldError[] = [];
  if (!isUnchanged && cost > RULE_COST_MAX) {
    errors.push(forbiddenValue(at.child('rule'), costText('estimated rule cost', cost, RULE_COST_MAX)));
  }
  if (error !== undefined) errors.push(invalidValue(at.child('rule'), rule, error));
  if (messageError !== undefined) errors.push(invalidValue(at.child('messageExpression'), rule, messageError));
  else if (message !== undefined && !isUnchanged && messageMaxCost > RULE_COST_MAX) {
    const detail = costText('estimated messageExpression cost', messageMaxCost, RULE_COST_MAX);
    errors.push(forbiddenValue(at.child('messageExpression'), detail));
  }
  if (usesOldSelf && uncorrelated !== undefined) {
    const detail = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelated.toString()}`;
    errors.push(invalidValue(at.child('rule'), rule.rule, detail));
  } else if (!usesOldSelf && rule.optionalOldSelf !== undefined && error === undefined) {
    const detail = 'may not be set if oldSelf is not used in rule';
    errors.push(invalidValue(at.child('optionalOldSelf'), rule.optionalOldSelf, detail));
  }
  return errors;
}

/** How often each part of a schema can stand in an object; undefined where nothing limits it. */
function countIn(
  schema: JsonSchema,
  cardinality: number | undefined,
  found: Map<JsonSchema, number | undefined>,
): void {
  found.set(schema, cardinality);
  const elements = elementsMax(schema);
  const inner = cardinality === undefined || elements === undefined ? undefined : times(cardinality, elements);
  for (const child of [itemsOf(schema), valuesOf(schema), ...Object.values(schema.properties ?? {})]) {
    if (child !== undefined) countIn(child, inner, found);
  }
}

function elementsMax({ type, additionalProperties, maxProperties, maxItems }: JsonSchema): number | undefined {
  if (type === 'array') return maxItems === undefined ? undefined : Math.max(0, maxItems);
  if (type !== 'object' || additionalProperties === undefined) return 1;
  return maxProperties === undefined ? undefined : Math.max(0, maxProperties);
}

/** Nothing of anything is nothing, even without a bound. */
function times(left: number, right: number): number {
  return left === 0 || right === 0 ? 0 : left * right;
}

function costText(what: string, cost: number, limit: number): string {
  const excess = cost / limit;
  const factor = excess > 100 ? 'more than 100x' : excess < 1.5 ? `${excess.toFixed(6)}x` : `${excess.toFixed(1)}x`;
  return (
    `${what} exceeds budget by factor of ${factor} (try simplifying the rule, or adding maxItems, maxProperties, and ` +
    'maxLength where arrays, maps, and strings are declared)'
  );
}
