import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isQuantity, parseQuantity } from '#machinery/quantity/quantity.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { isDns1123Subdomain } from '#machinery/validation/names.ts';
import { column, nameColumn } from '../../columns/common.ts';
import { CSI_STORAGE_CAPACITIES } from '../../generated/resources.ts';
import type { CSIStorageCapacity } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors, NOT_NEGATIVE } from '../../validation/basics.ts';
import { partly } from '../../validation/partly.ts';

export const csiStorageCapacities = defineKind(CSI_STORAGE_CAPACITIES, {
  strategy: {
    allowUnconditionalUpdate: false,
    validate,
    validateUpdate: (next, current) => [
      ...immutableField(next.nodeTopology, current.nodeTopology, new FieldPath('nodeTopology')),
      ...immutableField(next.storageClassName, current.storageClassName, new FieldPath('storageClassName')),
    ],
  },
  columns: [
    nameColumn,
    column(
      'StorageClassName',
      'The name of the StorageClass that the reported capacity applies to.',
      ({ storageClassName }) => storageClassName,
    ),
    column(
      'Capacity',
      'capacity is what the driver last reported for volumes of this class and topology.',
      ({ capacity }) => capacity ?? '<unset>',
    ),
  ],
});

function validate(object: CSIStorageCapacity): FieldError[] {
  const errors: FieldErrors = [];
  const { nodeTopology, storageClassName = '' } = partly(object);
  if (nodeTopology !== undefined)
    errors.push(...validateLabelSelector(nodeTopology, new FieldPath('nodeTopology'), {}));
  checkMessages(isDns1123Subdomain(storageClassName), storageClassName, new FieldPath('storageClassName'), errors);
  for (const field of ['capacity', 'maximumVolumeSize'] as const) {
    const value = object[field];
    if (value === undefined || !isQuantity(value)) continue;
    const isNegative = parseQuantity(value).compare(parseQuantity('0')) < 0;
    if (isNegative) errors.push(invalidValue(new FieldPath(field), value, NOT_NEGATIVE));
  }
  return errors;
}
