import {
  duplicateValue,
  type FieldError,
  forbiddenValue,
  invalidValue,
  required,
} from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { parseQuantity } from '#machinery/quantity/quantity.ts';
import { isQualifiedName } from '#machinery/validation/names.ts';
import { createdAtColumn, nameColumn } from '../../columns/common.ts';
import { LIMIT_RANGES } from '../../generated/resources.ts';
import type { LimitRange, LimitRangeItem } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { checkContainerResourceName, checkResourceName, isOvercommitAllowed } from './pod/validation/resources.ts';

const limitsPath = new FieldPath('spec').child('limits');
const types = ['Container', 'PersistentVolumeClaim', 'Pod'];
/** Beyond this, thousandths are not exact any more. */
const MILLI_VALUE_MAX = 9_223_372_036_854_774;

export const limitRanges = defineKind(LIMIT_RANGES, {
  strategy: {
    applyDefaults({ spec }) {
      for (const item of spec.limits ?? []) if (item.type === 'Container') defaultItem(item);
    },
    validate,
    validateUpdate: (next) => validate(next),
  },
  columns: [nameColumn, createdAtColumn],
});

/** A default limit is at most the maximum, a default request the default limit or at least the minimum. */
function defaultItem(item: LimitRangeItem): void {
  item.default = { ...item.max, ...item.default };
  item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
  if (Object.keys(item.default).length === 0) delete item.default;
  if (Object.keys(item.defaultRequest).length === 0) delete item.defaultRequest;
}

function validate({ spec }: LimitRange): FieldError[] {
  const errors: FieldErrors = [];
  const seen = new Set<string>();
  for (const [index, item] of (spec.limits ?? []).entries()) {
    const at = limitsPath.index(index);
    const type = item.type ?? '';
    const messages = isQualifiedName(type);
    checkMessages(messages, type, at.child('type'), errors);
    if (messages.length === 0 && !type.includes('/') && !types.includes(type)) {
      errors.push(invalidValue(at.child('type'), type, 'must be a standard limit type or fully qualified'));
    }
    if (seen.has(type)) errors.push(duplicateValue(at.child('type'), type));
    seen.add(type);
    checkItem(item, at, errors);
  }
  return errors;
}

function checkItem(item: LimitRangeItem, path: FieldPath, errors: FieldErrors): void {
  const checkName = item.type === 'Pod' || item.type === 'Container' ? checkContainerResourceName : checkResourceName;
  const names = new Set<string>();
  const checkNames = (field: 'max' | 'min' | 'default' | 'defaultRequest' | 'maxLimitRequestRatio'): void => {
    for (const name in item[field]) {
      checkName(name, path.child(field).key(name), errors);
      names.add(name);
    }
  };
  checkNames('max');
  checkNames('min');
  for (const field of ['default', 'defaultRequest'] as const) {
    if (item.type !== 'Pod') checkNames(field);
    else if (Object.keys(item[field] ?? {}).length > 0) {
      errors.push(forbiddenValue(path.child(field), "may not be specified when `type` is 'Pod'"));
    }
  }
  if (item.type === 'PersistentVolumeClaim') {
    if (item.min?.['storage'] === undefined && item.max?.['storage'] === undefined) {
      const detail = 'either minimum or maximum storage value is required, but neither was provided';
      errors.push(required(path.child('limits'), detail));
    }
  }
  checkNames('maxLimitRequestRatio');
  for (const name of names) {
    checkOrder(item, name, path, errors);
    checkRatio(item, name, path, errors);
    checkNotOvercommitted(item, name, path, errors);
  }
}

type Amounts = 'min' | 'max' | 'default' | 'defaultRequest';

/** Pairs of amounts of which the first may not be above the second; the error is at `field` and shows `shown`. */
const orders: readonly {
  readonly low: Amounts;
  readonly high: Amounts;
  readonly field: Amounts;
  readonly shown: Amounts;
  readonly text: readonly [string, string];
}[] = [
  { low: 'min', high: 'max', field: 'min', shown: 'min', text: ['min value', 'max value'] },
  {
    low: 'min',
    high: 'defaultRequest',
    field: 'defaultRequest',
    shown: 'defaultRequest',
    text: ['min value', 'default request value'],
  },
  {
    low: 'defaultRequest',
    high: 'max',
    field: 'defaultRequest',
    shown: 'defaultRequest',
    text: ['default request value', 'max value'],
  },
  {
    low: 'defaultRequest',
    high: 'default',
    field: 'defaultRequest',
    shown: 'defaultRequest',
    text: ['default request value', 'default limit value'],
  },
  { low: 'min', high: 'default', field: 'default', shown: 'min', text: ['min value', 'default value'] },
  { low: 'default', high: 'max', field: 'default', shown: 'max', text: ['default value', 'max value'] },
];

function amountOf(item: LimitRangeItem, field: Amounts, name: string): string | undefined {
  // Defaults of pods were refused as a whole.
  return item.type === 'Pod' && (field === 'default' || field === 'defaultRequest') ? undefined : item[field]?.[name];
}

function checkOrder(item: LimitRangeItem, name: string, path: FieldPath, errors: FieldErrors): void {
  for (const { low, high, field, shown, text } of orders) {
    const least = amountOf(item, low, name);
    const most = amountOf(item, high, name);
    if (least === undefined || most === undefined) continue;
    if (parseQuantity(least).compare(parseQuantity(most)) <= 0) continue;
    const detail = `${text[0]} ${least} is greater than ${text[1]} ${most}`;
    errors.push(invalidValue(path.child(field).key(name), amountOf(item, shown, name), detail));
  }
}

/** How much above its request a limit may be: 1 at least, and no more than the range itself allows. */
function checkRatio(item: LimitRangeItem, name: string, path: FieldPath, errors: FieldErrors): void {
  const text = item.maxLimitRequestRatio?.[name];
  if (text === undefined) return;
  const at = path.child('maxLimitRequestRatio').key(name);
  const ratio = parseQuantity(text);
  if (ratio.compare(parseQuantity('1')) < 0) errors.push(invalidValue(at, text, `ratio ${text} is less than 1`));
  const min = item.min?.[name];
  const max = item.max?.[name];
  if (min === undefined || max === undefined) return;
  const values = [ratio, parseQuantity(min), parseQuantity(max)];
  const exact = values.every((quantity) => Number(quantity.value()) < MILLI_VALUE_MAX);
  const [most = 0, low = 0, high = 0] = values.map((quantity) =>
    Number(exact ? quantity.milliValue() : quantity.value()),
  );
  const limit = high / low;
  if ((exact ? most / 1000 : most) <= limit) return;
  errors.push(invalidValue(at, text, `ratio ${text} is greater than max/min = ${printFloat(limit)}`));
}

/** As Go prints with `%f`. */
function printFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? value.toFixed(6) : value > 0 ? '+Inf' : '-Inf';
}

function checkNotOvercommitted(item: LimitRangeItem, name: string, path: FieldPath, errors: FieldErrors): void {
  if (isOvercommitAllowed(name)) return;
  const limit = amountOf(item, 'default', name);
  const request = amountOf(item, 'defaultRequest', name);
  if (limit === undefined || request === undefined) return;
  if (parseQuantity(limit).compare(parseQuantity(request)) === 0) return;
  const detail = `default value ${limit} must equal to defaultRequest value ${request} in ${name}`;
  errors.push(invalidValue(path.child('defaultRequest').key(name), request, detail));
}
