import { forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { parseQuantity } from '#machinery/quantity/quantity.ts';
import { isDns1123Label, isPathSegmentName } from '#machinery/validation/names.ts';
import { checkContainerResourceName } from '../core/v1/pod/validation/resources.ts';
import type { MetricSpec, MetricTarget } from '../generated/types.ts';
import { checkMessages, type FieldErrors } from '../validation/basics.ts';
import { checkObjectReference } from './object-reference.ts';

const types = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];
/** The field of each type, in the order in which upstream looks at them. */
const fields = ['object', 'external', 'pods', 'resource', 'containerResource'] as const;
const targetTypes = ['Utilization', 'Value', 'AverageValue'];
const RAW_OR_UTILIZATION = 'must set either a target raw value or a target utilization';

export function checkMetric(metric: MetricSpec, path: FieldPath, errors: FieldErrors): void {
  const type = metric.type ?? '';
  if (type === '') errors.push(required(path.child('type'), 'must specify a metric source type'));
  // Upstream says so twice.
  if (!types.includes(type)) errors.push(notSupported(path.child('type'), type, types));
  const present = fields.filter((field) => metric[field] !== undefined);
  if (present[0] !== undefined) checkSource(metric, present[0], path.child(present[0]), errors);
  if (!types.includes(type)) errors.push(notSupported(path.child('type'), type, types));
  const expected = fields.find((field) => field.toLowerCase() === type.toLowerCase());
  if (expected !== undefined && metric[expected] === undefined) {
    errors.push(required(path.child(expected), 'must populate information for the given metric source'));
  }
  if (present.length === 1) return;
  for (const field of present) {
    if (field === expected) continue;
    errors.push(forbiddenValue(path.child(field), 'must populate the given metric source only'));
  }
}

function checkSource(metric: MetricSpec, field: (typeof fields)[number], path: FieldPath, errors: FieldErrors): void {
  const targetPath = path.child('target');
  const averagePath = targetPath.child('averageValue');
  const { object, external, pods, resource, containerResource } = metric;
  if (field === 'object' && object !== undefined) {
    checkObjectReference(object.describedObject, path.child('describedObject'), errors);
    checkName(object.metric.name, path.child('metric', 'name'), errors);
    checkTarget(object.target, targetPath, errors);
    if (hasNoValue(object.target)) errors.push(required(averagePath, 'must set either a target value or averageValue'));
  } else if (field === 'external' && external !== undefined) {
    checkName(external.metric.name, path.child('metric', 'name'), errors);
    checkTarget(external.target, targetPath, errors);
    if (hasNoValue(external.target)) {
      errors.push(required(averagePath, 'must set either a target value for metric or a per-pod target'));
    }
    if (external.target.value !== undefined && external.target.averageValue !== undefined) {
      const detail = 'may not set both a target value for metric and a per-pod target';
      errors.push(forbiddenValue(targetPath.child('value'), detail));
    }
  } else if (field === 'pods' && pods !== undefined) {
    checkName(pods.metric.name, path.child('metric', 'name'), errors);
    checkTarget(pods.target, targetPath, errors);
    if (pods.target.averageValue === undefined) {
      errors.push(required(averagePath, 'must specify a positive target averageValue'));
    }
  } else if (field === 'resource' && resource !== undefined) {
    if ((resource.name ?? '') === '') errors.push(required(path.child('name'), 'must specify a resource name'));
    checkResourceTarget(resource.target, targetPath, errors);
  } else if (containerResource !== undefined) {
    const { name = '', container = '', target } = containerResource as Partial<typeof containerResource>; // Safe: wider.
    if (name === '') errors.push(required(path.child('name'), 'must specify a resource name'));
    else checkContainerResourceName(name, path.child('name'), errors);
    if (container === '') errors.push(required(path.child('container'), 'must specify a container'));
    else checkMessages(isDns1123Label(container), container, path.child('container'), errors);
    checkResourceTarget(target ?? { type: '' }, targetPath, errors);
  }
}

function hasNoValue(target: MetricTarget): boolean {
  return target.value === undefined && target.averageValue === undefined;
}

function checkName(name: string, path: FieldPath, errors: FieldErrors): void {
  if ((name ?? '') === '') errors.push(required(path, 'must specify a metric name'));
  else checkMessages(isPathSegmentName(name), name, path, errors);
}

function checkResourceTarget(target: MetricTarget, path: FieldPath, errors: FieldErrors): void {
  checkTarget(target, path, errors);
  const hasUtilization = target.averageUtilization !== undefined;
  const hasValue = target.averageValue !== undefined;
  if (!hasUtilization && !hasValue) errors.push(required(path.child('averageUtilization'), RAW_OR_UTILIZATION));
  if (hasUtilization && hasValue) {
    const detail = 'may not set both a target raw value and a target utilization';
    errors.push(forbiddenValue(path.child('averageValue'), detail));
  }
}

function checkTarget(target: MetricTarget, path: FieldPath, errors: FieldErrors): void {
  const type = target.type ?? '';
  const typePath = path.child('type');
  if (type === '') errors.push(required(typePath, 'must specify a metric target type'));
  if (!targetTypes.includes(type)) {
    errors.push(invalidValue(typePath, type, 'must be either Utilization, Value, or AverageValue'));
  }
  for (const field of ['value', 'averageValue'] as const) {
    const amount = target[field];
    if (amount === undefined || parseQuantity(amount).nanos > 0n) continue;
    errors.push(invalidValue(path.child(field), amount, 'must be positive'));
  }
  const { averageUtilization: percent } = target;
  if (percent !== undefined && percent < 1) {
    errors.push(invalidValue(path.child('averageUtilization'), percent, 'must be greater than 0'));
  }
}
