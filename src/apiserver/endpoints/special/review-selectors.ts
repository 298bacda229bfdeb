import { type FieldError, forbiddenValue, invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { LabelSelector } from '#machinery/meta/types.ts';
import { type FieldTerm, parseFieldSelector } from '#machinery/selectors/field-selector.ts';
import {
  compileLabelSelector,
  type LabelRequirement,
  parseLabelSelector,
  SelectorError,
} from '#machinery/selectors/label-selector.ts';
import { validateLabelName } from '#machinery/validation/metadata.ts';
import { fields, text, texts } from './body.ts';

/** What could be read of a selector. What could not is left out, which makes the question wider and so stays safe. */
export interface ReadSelector<T> {
  readonly terms: readonly T[];
  readonly hasUnread: boolean;
}

/** `spec.resourceAttributes.fieldSelector` of an access review: a raw selector or a list of requirements. */
export function readFieldSelector(selector: unknown): ReadSelector<FieldTerm> {
  const { rawSelector } = fields(selector);
  if (text(rawSelector) !== '') return readRaw(() => parseFieldSelector(text(rawSelector)).terms);
  return readEach(requirementsOf(selector), ({ key, operator, values }) => {
    // Only these two can be said with one value, as in the text form.
    if ((operator !== 'In' && operator !== 'NotIn') || values.length !== 1) return undefined;
    return [{ field: key, operator: operator === 'In' ? '=' : '!=', value: values[0] ?? '' }];
  });
}

/** The same for `labelSelector`. */
export function readLabelSelector(selector: unknown): ReadSelector<LabelRequirement> {
  const { rawSelector } = fields(selector);
  if (text(rawSelector) !== '') return readRaw(() => parseLabelSelector(text(rawSelector)).requirements);
  return readEach(requirementsOf(selector), (requirement) => {
    // Safe: an operator that the type does not know is refused by the call.
    const expression = requirement as NonNullable<LabelSelector['matchExpressions']>[number];
    return compileLabelSelector({ matchExpressions: [expression] }).requirements;
  });
}

/** Errors in upstream's words. Operators of a later version are let through, and ignored by what reads the selector. */
export function validateSelectors(attributes: Record<string, unknown>, path: FieldPath): FieldError[] {
  return (['fieldSelector', 'labelSelector'] as const).flatMap((name) => {
    const selector = attributes[name];
    if (selector === undefined || selector === null) return [];
    return validateSelector(selector, { path: path.child(name), isLabels: name === 'labelSelector' });
  });
}

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values: string[];
}

function validateSelector(selector: unknown, { path, isLabels }: { path: FieldPath; isLabels: boolean }): FieldError[] {
  const raw = text(fields(selector)['rawSelector']);
  const requirements = requirementsOf(selector);
  const errors: FieldError[] = [];
  if (raw !== '' && requirements.length > 0) {
    errors.push(invalidValue(path.child('rawSelector'), raw, 'may not specified at the same time as requirements'));
  }
  if (raw === '' && requirements.length === 0) {
    const detail = `when ${path.toString()} is specified, requirements or rawSelector is required`;
    errors.push(required(path.child('requirements'), detail));
  }
  for (const [index, { key, operator, values }] of requirements.entries()) {
    const at = path.child('requirements').index(index);
    if (!isLabels && key === '') errors.push(required(at.child('key'), 'must be specified'));
    if ((operator === 'In' || operator === 'NotIn') && values.length === 0) {
      errors.push(required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"));
    }
    if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) {
      const detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
      errors.push(forbiddenValue(at.child('values'), detail));
    }
    if (isLabels) errors.push(...validateLabelName(key, at.child('key')));
  }
  return errors;
}

function requirementsOf(selector: unknown): Requirement[] {
  const { requirements } = fields(selector);
  if (!Array.isArray(requirements)) return [];
  return requirements.map((one) => {
    const { key, operator, values } = fields(one);
    return { key: text(key), operator: text(operator), values: texts(values) };
  });
}

function readRaw<T>(parse: () => readonly T[]): ReadSelector<T> {
  const terms = orUnread(parse);
  return { terms: terms ?? [], hasUnread: terms === undefined };
}

function readEach<T>(
  requirements: readonly Requirement[],
  read: (requirement: Requirement) => readonly T[] | undefined,
): ReadSelector<T> {
  const each = requirements.map((requirement) => orUnread(() => read(requirement)));
  return { terms: each.flatMap((terms) => terms ?? []), hasUnread: each.includes(undefined) };
}

function orUnread<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SelectorError) return undefined;
    throw error;
  }
}
