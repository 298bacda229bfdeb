import { encodeValue } from '#machinery/codec/json.ts';
import {
  duplicateValue,
  invalidValue,
  notSupported,
  required,
  tooLong,
  tooMany,
} from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabelName } from '#machinery/validation/metadata.ts';
import { isDns1123Subdomain, isValidLabelValue } from '#machinery/validation/names.ts';
import type {
  DeviceClaim,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceSubRequest,
  DeviceToleration,
  ExactDeviceRequest,
  OpaqueDeviceConfiguration,
} from '../../generated/types.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { checkSelectorExpression } from './selector-expression.ts';
import { checkDriver, checkFullyQualifiedName, checkLabelName } from './names.ts';
import { partly } from '../../validation/partly.ts';

const LIST_MAX = 32;
const ALTERNATIVES_MAX = 8;
const PARAMETERS_BYTES_MAX = 10 * 1024;
const ONE_KIND = 'exactly one of `exactly` or `firstAvailable` is required';
const NAME_RULE =
  "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
const effects = ['NoExecute', 'NoSchedule', 'None'];
const operators = ['Equal', 'Exists'];

/** Fills how many devices a request is for, and how taints are compared. */
export function defaultDeviceClaim(claim: DeviceClaim | undefined): void {
  for (const request of claim?.requests ?? []) {
    if (request.exactly !== undefined) defaultRequest(request.exactly);
    for (const alternative of request.firstAvailable ?? []) defaultRequest(alternative);
  }
}

function defaultRequest(request: ExactDeviceRequest | DeviceSubRequest): void {
  request.allocationMode ||= 'ExactCount';
  if (request.allocationMode === 'ExactCount' && (request.count ?? 0) === 0) request.count = 1;
  for (const toleration of request.tolerations ?? []) toleration.operator ||= 'Equal';
}

/** The requests of a claim by name, each with the names of its alternatives. */
export type RequestNames = ReadonlyMap<string, ReadonlySet<string>>;

export function requestNamesOf(claim: DeviceClaim | undefined): RequestNames {
  return new Map(
    (claim?.requests ?? []).map(({ name, firstAvailable = [] }) => [
      name,
      new Set(firstAvailable.map((alternative) => alternative.name)),
    ]),
  );
}

export function checkDeviceClaim(claim: DeviceClaim | undefined, path: FieldPath, errors: FieldErrors): void {
  const { requests = [], constraints = [], config = [] } = claim ?? {};
  const names = requestNamesOf(claim);
  checkCount(requests, path.child('requests'), { max: LIST_MAX, errors });
  for (const [index, request] of requests.entries()) {
    const at = path.child('requests').index(index);
    checkRequest(request, at, errors);
    if (requests.findIndex(({ name }) => name === request.name) < index) errors.push(duplicateValue(at, request));
  }
  checkCount(constraints, path.child('constraints'), { max: LIST_MAX, errors });
  for (const [index, constraint] of constraints.entries()) {
    checkConstraint(constraint, path.child('constraints').index(index), { names, errors });
  }
  checkCount(config, path.child('config'), { max: LIST_MAX, errors });
  for (const [index, { requests: given = [], opaque }] of config.entries()) {
    const at = path.child('config').index(index);
    checkRequestReferences(given, at.child('requests'), { names, errors });
    checkConfiguration(opaque, at, errors);
  }
}

export function checkCount(
  list: readonly unknown[],
  path: FieldPath,
  { max, errors }: { max: number; errors: FieldErrors },
): void {
  if (list.length > max) errors.push(tooMany(path, list.length, max));
}

function checkRequest(
  { name, exactly, firstAvailable = [] }: DeviceRequest,
  path: FieldPath,
  errors: FieldErrors,
): void {
  checkLabelName(name, path.child('name'), errors);
  if (exactly === undefined && firstAvailable.length === 0) {
    errors.push(required(path, ONE_KIND));
  } else if (exactly !== undefined && firstAvailable.length > 0) {
    errors.push(invalidValue(path, null, `${ONE_KIND}, but multiple fields are set`));
  } else if (exactly === undefined) {
    checkCount(firstAvailable, path.child('firstAvailable'), { max: ALTERNATIVES_MAX, errors });
    for (const [index, alternative] of firstAvailable.entries()) {
      const at = path.child('firstAvailable').index(index);
      checkLabelName(alternative.name, at.child('name'), errors);
      checkDevices(alternative, at, errors);
      const isTwice = firstAvailable.findIndex((other) => other.name === alternative.name) < index;
      if (isTwice) errors.push(duplicateValue(at, alternative));
    }
  } else checkDevices(exactly, path.child('exactly'), errors);
}

function checkDevices(request: ExactDeviceRequest | DeviceSubRequest, path: FieldPath, errors: FieldErrors): void {
  const { deviceClassName = '', selectors = [], allocationMode = '', count = 0, tolerations = [] } = partly(request);
  const classPath = path.child('deviceClassName');
  if (deviceClassName === '') errors.push(required(classPath, ''));
  else checkMessages(isDns1123Subdomain(deviceClassName), deviceClassName, classPath, errors);
  checkSelectors(selectors, path.child('selectors'), errors);
  const countPath = path.child('count');
  if (allocationMode === 'All') {
    const detail = "must not be specified when allocationMode is 'All'";
    if (count !== 0) errors.push(invalidValue(countPath, count, detail));
  } else if (allocationMode === 'ExactCount') {
    if (count <= 0) errors.push(invalidValue(countPath, count, 'must be greater than zero'));
  } else errors.push(notSupported(path.child('allocationMode'), allocationMode, ['All', 'ExactCount']));
  for (const [index, toleration] of tolerations.entries()) {
    checkToleration(toleration, path.child('tolerations').index(index), errors);
  }
}

export function checkSelectors(selectors: readonly DeviceSelector[], path: FieldPath, errors: FieldErrors): void {
  checkCount(selectors, path, { max: LIST_MAX, errors });
  for (const [index, { cel }] of selectors.entries()) {
    const at = path.index(index).child('cel');
    if (cel === undefined) errors.push(required(at, ''));
    else checkSelectorExpression(cel.expression ?? '', at.child('expression'), errors);
  }
}

export function checkToleration(toleration: DeviceToleration, path: FieldPath, errors: FieldErrors): void {
  const { key = '', operator = '', value = '', effect = '' } = toleration;
  if (key !== '') errors.push(...validateLabelName(key, path.child('key')));
  const operatorPath = path.child('operator');
  if (operator === 'Exists') {
    const detail = 'must be empty for operator `Exists`';
    if (value !== '') errors.push(invalidValue(path.child('value'), value, detail));
  } else if (operator === 'Equal') checkMessages(isValidLabelValue(value), value, path.child('value'), errors);
  else if (operator === '') errors.push(required(operatorPath, ''));
  else errors.push(notSupported(operatorPath, operator, operators));
  if (key === '' && operator !== 'Exists') {
    errors.push(
      invalidValue(
        operatorPath,
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    );
  }
  if (effect !== '' && !effects.includes(effect)) errors.push(notSupported(path.child('effect'), effect, effects));
}

function checkConstraint(
  constraint: DeviceConstraint,
  path: FieldPath,
  { names, errors }: { names: RequestNames; errors: FieldErrors },
): void {
  const { requests = [], matchAttribute, distinctAttribute } = constraint;
  checkRequestReferences(requests, path.child('requests'), { names, errors });
  const one = 'exactly one of "matchAttribute" or "distinctAttribute" is required';
  if (matchAttribute === undefined && distinctAttribute === undefined) errors.push(required(path, one));
  else if (matchAttribute !== undefined && distinctAttribute !== undefined) {
    errors.push(invalidValue(path, null, `${one}, but multiple fields are set`));
  }
  if (matchAttribute !== undefined) checkFullyQualifiedName(matchAttribute, path.child('matchAttribute'), errors);
  if (distinctAttribute !== undefined) {
    checkFullyQualifiedName(distinctAttribute, path.child('distinctAttribute'), errors);
  }
}

export function checkRequestReferences(
  references: readonly string[],
  path: FieldPath,
  { names, errors }: { names: RequestNames; errors: FieldErrors },
): void {
  checkCount(references, path, { max: LIST_MAX, errors });
  for (const [index, reference] of references.entries()) {
    checkRequestReference(reference, path.index(index), { names, errors });
    if (references.indexOf(reference) < index) errors.push(duplicateValue(path.index(index), reference));
  }
}

/** `request`, or `request/alternative`. */
export function checkRequestReference(
  reference: string,
  path: FieldPath,
  { names, errors }: { names: RequestNames; errors: FieldErrors },
): void {
  const [request = '', alternative, ...more] = reference.split('/');
  if (more.length > 0) {
    errors.push(invalidValue(path, reference, NAME_RULE));
    return;
  }
  checkLabelName(request, path, errors);
  if (alternative !== undefined) checkLabelName(alternative, path, errors);
  const alternatives = names.get(request);
  const isKnown = alternatives !== undefined && (alternative === undefined || alternatives.has(alternative));
  if (!isKnown) errors.push(invalidValue(path, reference, NAME_RULE));
}

export function checkConfiguration(
  opaque: OpaqueDeviceConfiguration | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  const at = path.child('opaque');
  if (opaque === undefined) {
    errors.push(required(at, ''));
    return;
  }
  checkDriver(opaque.driver, at.child('driver'), errors);
  const { parameters } = opaque;
  const parametersPath = at.child('parameters');
  if (parameters === undefined || parameters === null) errors.push(required(parametersPath, ''));
  else if (Buffer.byteLength(encodeValue(parameters)) > PARAMETERS_BYTES_MAX) {
    errors.push(tooLong(parametersPath, PARAMETERS_BYTES_MAX));
  } else if (typeof parameters !== 'object' || Array.isArray(parameters)) {
    errors.push(invalidValue(parametersPath, '<value omitted>', 'must be a valid JSON object'));
  }
}
