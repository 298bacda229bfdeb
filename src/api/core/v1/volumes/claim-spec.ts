import { forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { parseQuantity } from '#machinery/quantity/quantity.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { isDns1123Label, isDns1123Subdomain } from '#machinery/validation/names.ts';
import type { PersistentVolumeClaimSpec } from '../../../generated/types.ts';
import { checkMessages, checkOptionalOneOf, type FieldErrors } from '../../../validation/basics.ts';

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const VOLUME_MODES = ['Block', 'Filesystem'];

/** Modes of access, of a volume or of a claim. */
export function checkAccessModes(modes: readonly string[], path: FieldPath, errors: FieldErrors): void {
  for (const mode of modes) if (!ACCESS_MODES.includes(mode)) errors.push(notSupported(path, mode, ACCESS_MODES));
  const others = modes.some((mode) => mode !== 'ReadWriteOncePod' && ACCESS_MODES.includes(mode));
  if (others && modes.includes('ReadWriteOncePod')) {
    errors.push(forbiddenValue(path, 'may not use ReadWriteOncePod with other access modes'));
  }
}

/** The spec of a claim, as it is in claims and in templates of them. */
export function checkClaimSpec(spec: PersistentVolumeClaimSpec, path: FieldPath, errors: FieldErrors): void {
  const modes = spec.accessModes ?? [];
  if (modes.length === 0) errors.push(required(path.child('accessModes'), 'at least 1 access mode is required'));
  if (spec.selector !== undefined) errors.push(...validateLabelSelector(spec.selector, path.child('selector'), {}));
  checkAccessModes(modes, path.child('accessModes'), errors);
  const storagePath = path.child('resources').key('storage');
  const storage = spec.resources?.requests?.['storage'];
  if (storage === undefined) errors.push(required(storagePath, ''));
  else checkPositive(storage, storagePath, errors);
  checkClass(spec.storageClassName, path.child('storageClassName'), errors);
  checkOptionalOneOf(spec.volumeMode, VOLUME_MODES, path.child('volumeMode'), errors);
  checkDataSources(spec, path, errors);
  checkClass(spec.volumeAttributesClassName, path.child('volumeAttributesClassName'), errors);
}

/** An amount that must be more than nothing. */
export function checkPositive(text: string, path: FieldPath, errors: FieldErrors): void {
  if (parseQuantity(text).nanos <= 0n) errors.push(invalidValue(path, text, 'must be greater than zero'));
}

/** The name of a class, where there is one. */
export function checkClass(name: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (name !== undefined && name !== '') checkMessages(isDns1123Subdomain(name), name, path, errors);
}

interface DataSource {
  readonly apiGroup?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
}

function checkDataSources(spec: PersistentVolumeClaimSpec, path: FieldPath, errors: FieldErrors): void {
  const { dataSource, dataSourceRef } = spec;
  if (dataSource !== undefined) checkDataSource(dataSource, path.child('dataSource'), errors);
  if (dataSourceRef !== undefined) checkDataSource(dataSourceRef, path.child('dataSourceRef'), errors);
  if (dataSource === undefined || dataSourceRef === undefined) return;
  // Upstream gives the path as the value, which prints as the empty object that its hidden fields make.
  const value = {};
  if ((dataSourceRef.namespace ?? '') !== '') {
    errors.push(invalidValue(path, value, 'may not be specified when dataSourceRef.namespace is specified'));
    return;
  }
  const isSame =
    dataSource.apiGroup === dataSourceRef.apiGroup &&
    dataSource.kind === dataSourceRef.kind &&
    dataSource.name === dataSourceRef.name;
  if (!isSame) errors.push(invalidValue(path, value, 'must match dataSourceRef'));
}

function checkDataSource(source: DataSource, path: FieldPath, errors: FieldErrors): void {
  const { apiGroup = '', kind = '', name = '', namespace = '' } = source;
  if (name === '') errors.push(required(path.child('name'), ''));
  if (kind === '') errors.push(required(path.child('kind'), ''));
  if (apiGroup === '' && kind !== 'PersistentVolumeClaim') {
    const detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
    errors.push(invalidValue(path, kind, detail));
  }
  if (apiGroup !== '') checkMessages(isDns1123Subdomain(apiGroup), apiGroup, path.child('apiGroup'), errors);
  if (namespace !== '') checkMessages(isDns1123Label(namespace), namespace, path.child('namespace'), errors);
}
