import { formatTime } from '#machinery/clock/clock.ts';
import { type FieldError, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import {
  DEVICE_CLASSES_V1BETA2,
  DEVICE_TAINT_RULES_V1ALPHA3,
  DEVICE_TAINT_RULES_V1BETA2,
  RESOURCE_CLAIM_TEMPLATES_V1BETA2,
  RESOURCE_CLAIMS_V1BETA2,
  RESOURCE_SLICES_V1BETA2,
} from '../../generated/resources.ts';
import type { V1beta2DeviceTaintRule } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { sameShape } from '../../registry/same-shape.ts';
import type { FieldErrors } from '../../validation/basics.ts';
import { deviceClasses } from '../v1/device-class.ts';
import { checkDriver, checkLabelName, checkPool } from '../v1/names.ts';
import { resourceClaims, resourceClaimTemplates } from '../v1/resource-claim.ts';
import { checkTaint, resourceSlices } from '../v1/resource-slice.ts';

export const deviceClassesV1beta2 = sameShape(deviceClasses, DEVICE_CLASSES_V1BETA2);
export const resourceClaimsV1beta2 = sameShape(resourceClaims, RESOURCE_CLAIMS_V1BETA2);
export const resourceClaimTemplatesV1beta2 = sameShape(resourceClaimTemplates, RESOURCE_CLAIM_TEMPLATES_V1BETA2);
export const resourceSlicesV1beta2 = sameShape(resourceSlices, RESOURCE_SLICES_V1BETA2);

const specPath = new FieldPath('spec');

export const deviceTaintRules = defineKind(DEVICE_TAINT_RULES_V1BETA2, {
  strategy: {
    ...statusRules,
    hasGeneration: true,
    prepareForCreate(next, { nowMs }) {
      statusRules.prepareForCreate(next);
      if (next.spec?.taint !== undefined) next.spec.taint.timeAdded ??= formatTime(nowMs);
    },
    prepareForUpdate(next, current, { nowMs }) {
      statusRules.prepareForUpdate(next, current);
      const taint = next.spec?.taint;
      const before = current.spec?.taint;
      // Pods are evicted by when the taint took effect: a new effect starts anew.
      if (taint === undefined || taint.effect === before?.effect) return;
      if (taint.timeAdded === before?.timeAdded) taint.timeAdded = formatTime(nowMs);
    },
    validate: validateRule,
    validateUpdate: (next) => validateRule(next),
  },
});

export const deviceTaintRulesV1alpha3 = sameShape(deviceTaintRules, DEVICE_TAINT_RULES_V1ALPHA3);

function validateRule({ spec }: V1beta2DeviceTaintRule): FieldError[] {
  const errors: FieldErrors = [];
  const { deviceSelector, taint } = spec ?? {};
  const path = specPath.child('deviceSelector');
  if (deviceSelector?.driver !== undefined) checkDriver(deviceSelector.driver, path.child('driver'), errors);
  if (deviceSelector?.pool !== undefined) checkPool(deviceSelector.pool, path.child('pool'), errors);
  if (deviceSelector?.device !== undefined) checkLabelName(deviceSelector.device, path.child('device'), errors);
  if (taint === undefined) errors.push(required(specPath.child('taint'), ''));
  else checkTaint(taint, specPath.child('taint'), errors);
  return errors;
}
