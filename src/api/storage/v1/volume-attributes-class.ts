import { deepEqual } from '#machinery/codec/deep.ts';
import type { FieldError } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { VOLUME_ATTRIBUTES_CLASSES } from '../../generated/resources.ts';
import type { VolumeAttributesClass } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import type { FieldErrors } from '../../validation/basics.ts';
import { checkParameters, checkProvisioner } from './csi-validation.ts';

const parametersPath = new FieldPath('parameters');

export const volumeAttributesClasses = defineKind(VOLUME_ATTRIBUTES_CLASSES, {
  strategy: {
    validate,
    validateUpdate: (next, current) => [
      ...validate(next),
      ...immutableField(next.driverName, current.driverName, new FieldPath('driverName')),
      ...(deepEqual(next.parameters, current.parameters)
        ? []
        : immutableField(next.parameters, current.parameters, parametersPath)),
    ],
  },
  columns: [
    nameColumn,
    column('DriverName', 'Name of the CSI driver This field is immutable.', ({ driverName }) => driverName),
    ageColumn,
  ],
});

function validate({ driverName, parameters }: VolumeAttributesClass): FieldError[] {
  const errors: FieldErrors = [];
  checkProvisioner(driverName, new FieldPath('driverName'), errors);
  checkParameters(parameters, parametersPath, { allowEmpty: false, errors });
  return errors;
}
