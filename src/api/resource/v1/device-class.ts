import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isQualifiedName } from '#machinery/validation/names.ts';
import { ageColumn, nameColumn } from '../../columns/common.ts';
import { DEVICE_CLASSES } from '../../generated/resources.ts';
import type { DeviceClass } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import type { FieldErrors } from '../../validation/basics.ts';
import { checkConfiguration, checkCount, checkSelectors } from './device-claim.ts';

const specPath = new FieldPath('spec');
const CONFIG_MAX = 32;

export const deviceClasses = defineKind(DEVICE_CLASSES, {
  strategy: { hasGeneration: true, validate, validateUpdate: (next) => validate(next) },
  columns: [nameColumn, ageColumn],
});

function validate({ spec }: DeviceClass): FieldError[] {
  const errors: FieldErrors = [];
  const { selectors = [], config = [], extendedResourceName: name } = spec ?? {};
  checkSelectors(selectors, specPath.child('selectors'), errors);
  checkCount(config, specPath.child('config'), { max: CONFIG_MAX, errors });
  for (const [index, { opaque }] of config.entries()) {
    checkConfiguration(opaque, specPath.child('config').index(index), errors);
  }
  if (name !== undefined && !isExtendedResource(name)) {
    errors.push(invalidValue(specPath.child('extendedResourceName'), name, 'must be a valid extended resource name'));
  }
  return errors;
}

/** A resource outside of Kubernetes' own domain, whose quota key is a name, too. */
function isExtendedResource(name: string): boolean {
  const domain = name.split('/')[0] ?? '';
  if (!name.includes('/') || domain.endsWith('kubernetes.io') || name.startsWith('requests.')) return false;
  return isQualifiedName(`requests.${name}`).length === 0;
}
