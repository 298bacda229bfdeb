import { deepEqual } from '#machinery/codec/deep.ts';
import { duplicateValue, type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isQualifiedName } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { CSI_NODES } from '../../generated/resources.ts';
import type { CSINode, CSINodeDriver } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, checkNotNegative, type FieldErrors, IMMUTABLE } from '../../validation/basics.ts';
import { checkDriverName } from './csi-validation.ts';
import { partly } from '../../validation/partly.ts';

const driversPath = new FieldPath('spec').child('drivers');
const NODE_ID_CHARACTERS_MAX = 256;

export const csiNodes = defineKind(CSI_NODES, {
  strategy: {
    allowUnconditionalUpdate: false,
    applyDefaults(next) {
      // Upstream writes the list even when it is empty.
      next.spec.drivers ??= [];
    },
    validate,
    validateUpdate: (next, current) => [...validate(next), ...checkUpdate(next, current)],
  },
  columns: [
    nameColumn,
    column(
      'Drivers',
      'Drivers indicates the number of CSI drivers registered on the node',
      ({ spec }) => spec.drivers?.length ?? 0,
      { type: 'integer' },
    ),
    ageColumn,
  ],
});

function validate({ spec }: CSINode): FieldError[] {
  const errors: FieldErrors = [];
  const names = new Set<string>();
  for (const [index, driver] of (spec.drivers ?? []).entries()) {
    const path = driversPath.index(index);
    checkDriver(driver, path, errors);
    if (names.has(driver.name)) errors.push(duplicateValue(path.child('name'), driver.name));
    names.add(driver.name);
  }
  return errors;
}

function checkDriver(driver: CSINodeDriver, path: FieldPath, errors: FieldErrors): void {
  const { name, nodeID = '', allocatable, topologyKeys = [] } = partly(driver);
  checkDriverName(name, path.child('name'), errors);
  const idPath = path.child('nodeID');
  if (nodeID === '') errors.push(required(idPath, ''));
  else if (Buffer.byteLength(nodeID) > NODE_ID_CHARACTERS_MAX) {
    errors.push(invalidValue(idPath, nodeID, `must be ${NODE_ID_CHARACTERS_MAX} characters or less`));
  }
  checkNotNegative(allocatable?.count, path.child('allocatable', 'count'), errors);
  const keysPath = path.child('topologyKeys');
  const keys = new Set<string>();
  for (const key of topologyKeys) {
    if (keys.has(key)) errors.push(duplicateValue(keysPath, key));
    keys.add(key);
    if (key === '') errors.push(required(keysPath, ''));
    else checkMessages(isQualifiedName(key), key, keysPath, errors);
  }
}

/** A driver's entry stays as it is, but for how many volumes it can attach. */
function checkUpdate(next: CSINode, current: CSINode): FieldError[] {
  return (next.spec.drivers ?? []).flatMap((driver) => {
    const before = (current.spec.drivers ?? []).find(({ name }) => name === driver.name);
    const isSame =
      before === undefined || deepEqual({ ...driver, allocatable: undefined }, { ...before, allocatable: undefined });
    return isSame ? [] : [invalidValue(new FieldPath('CSINodeDriver'), driver, IMMUTABLE)];
  });
}
