import { type FieldError, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { parseQuantity } from '#machinery/quantity/quantity.ts';
import type { HPAScalingRules, V2HorizontalPodAutoscaler } from '../generated/types.ts';
import { checkNotNegative, checkOptionalOneOf, type FieldErrors } from '../validation/basics.ts';
import { checkMetric } from './metrics.ts';
import { checkObjectReference } from './object-reference.ts';

const specPath = new FieldPath('spec');
const WINDOW_SECONDS_MAX = 3600;
const PERIOD_SECONDS_MAX = 1800;
const NOT_POSITIVE = 'must be greater than zero';

export function validateAutoscaler(next: V2HorizontalPodAutoscaler, current?: V2HorizontalPodAutoscaler): FieldError[] {
  const errors: FieldErrors = [];
  const { spec } = next;
  const { minReplicas, maxReplicas } = spec;
  // Where scaling to none was switched on once, it stays possible.
  const lowest = current?.spec.minReplicas === 0 ? 0 : 1;
  if (minReplicas !== undefined && minReplicas < lowest) {
    const detail = `must be greater than or equal to ${lowest}`;
    errors.push(invalidValue(specPath.child('minReplicas'), minReplicas, detail));
  }
  const maxPath = specPath.child('maxReplicas');
  if (maxReplicas < 1) errors.push(invalidValue(maxPath, maxReplicas, 'must be greater than 0'));
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    errors.push(invalidValue(maxPath, maxReplicas, 'must be greater than or equal to `minReplicas`'));
  }
  checkObjectReference(spec.scaleTargetRef, specPath.child('scaleTargetRef'), errors);
  const metricsPath = specPath.child('metrics');
  const metrics = spec.metrics ?? [];
  for (const [index, metric] of metrics.entries()) checkMetric(metric, metricsPath.index(index), errors);
  if (minReplicas === 0 && !metrics.some(({ type }) => type === 'Object' || type === 'External')) {
    const detail = 'must specify at least one Object or External metric to support scaling to zero replicas';
    errors.push(forbiddenValue(metricsPath, detail));
  }
  for (const way of ['scaleUp', 'scaleDown'] as const) {
    const rules = spec.behavior?.[way];
    if (rules !== undefined) checkRules(rules, specPath.child('behavior', way), errors);
  }
  return errors;
}

function checkRules(rules: HPAScalingRules, path: FieldPath, errors: FieldErrors): void {
  const { stabilizationWindowSeconds: window = 0, tolerance, policies = [] } = rules;
  const windowPath = path.child('stabilizationWindowSeconds');
  if (window < 0) errors.push(invalidValue(windowPath, window, 'must be greater than or equal to zero'));
  if (window > WINDOW_SECONDS_MAX) {
    errors.push(invalidValue(windowPath, window, `must be less than or equal to ${WINDOW_SECONDS_MAX}`));
  }
  checkOptionalOneOf(rules.selectPolicy, ['Disabled', 'Max', 'Min'], path.child('selectPolicy'), errors);
  const policiesPath = path.child('policies');
  if (policies.length === 0) errors.push(required(policiesPath, 'must specify at least one Policy'));
  for (const [index, { type, value, periodSeconds }] of policies.entries()) {
    const at = policiesPath.index(index);
    if (type !== 'Pods' && type !== 'Percent') errors.push(notSupported(at.child('type'), type, ['Percent', 'Pods']));
    if (value <= 0) errors.push(invalidValue(at.child('value'), value, NOT_POSITIVE));
    const periodPath = at.child('periodSeconds');
    if (periodSeconds <= 0) errors.push(invalidValue(periodPath, periodSeconds, NOT_POSITIVE));
    if (periodSeconds > PERIOD_SECONDS_MAX) {
      errors.push(invalidValue(periodPath, periodSeconds, `must be less than or equal to ${PERIOD_SECONDS_MAX}`));
    }
  }
  if (tolerance !== undefined && parseQuantity(tolerance).nanos < 0n) {
    errors.push(invalidValue(path.child('tolerance'), tolerance, 'must be greater than or equal to 0'));
  }
}

export function validateAutoscalerStatus({ status }: V2HorizontalPodAutoscaler): FieldError[] {
  const errors: FieldErrors = [];
  const path = new FieldPath('status');
  for (const field of ['currentReplicas', 'desiredReplicas'] as const) {
    checkNotNegative(status?.[field], path.child(field), errors);
  }
  return errors;
}
