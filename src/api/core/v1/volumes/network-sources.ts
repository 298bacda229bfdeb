import { invalidValue, notSupported, required, tooLong } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Label, isDns1123Subdomain } from '#machinery/validation/names.ts';
import type {
  AzureDiskVolumeSource,
  FCVolumeSource,
  FlockerVolumeSource,
  NFSVolumeSource,
  QuobyteVolumeSource,
} from '../../../generated/types.ts';
import { checkMessages, checkOptionalOneOf, checkRange, type FieldErrors } from '../../../validation/basics.ts';

const DRIVER_NAME_LENGTH_MAX = 63;
const QUOBYTE_TENANT_LENGTH_MAX = 64;
const HOST_PORTS = 'must be a host:port pair or multiple pairs separated by commas';

/** Fields of a source that must not be empty. */
export function checkFilled(source: object, fields: readonly string[], path: FieldPath, errors: FieldErrors): void {
  const values = source as Readonly<Record<string, unknown>>; // Safe: a read-only view of a JSON object by name.
  for (const field of fields) {
    const value = values[field];
    const isEmpty = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
    if (isEmpty) errors.push(required(path.child(field), ''));
  }
}

/** A disk of a cloud, of which one partition is mounted. */
export function checkDisk(source: { partition?: number }, idField: string, path: FieldPath, errors: FieldErrors): void {
  checkFilled(source, [idField], path, errors);
  const { partition = 0 } = source;
  // The text says 1 where 0 is fine: upstream's.
  if (partition < 0 || partition > 255) {
    errors.push(invalidValue(path.child('partition'), partition, 'must be between 1 and 255, inclusive'));
  }
}

export function checkNfs(source: NFSVolumeSource, path: FieldPath, errors: FieldErrors): void {
  checkFilled(source, ['server', 'path'], path, errors);
  const target = source.path ?? '';
  if (!target.startsWith('/')) errors.push(invalidValue(path.child('path'), target, 'must be an absolute path'));
}

export function checkFibreChannel(source: FCVolumeSource, path: FieldPath, errors: FieldErrors): void {
  const { targetWWNs = [], wwids = [], lun } = source;
  const at = path.child('targetWWNs');
  if (targetWWNs.length === 0 && wwids.length === 0) {
    errors.push(required(at, 'must specify either targetWWNs or wwids, but not both'));
  }
  if (targetWWNs.length === 0) return;
  if (wwids.length > 0) {
    errors.push(invalidValue(at, targetWWNs, 'targetWWNs and wwids can not be specified simultaneously'));
  }
  if (lun === undefined) errors.push(required(path.child('lun'), 'lun is required if targetWWNs is specified'));
  else checkRange(lun, { min: 0, max: 255 }, path.child('lun'), errors);
}

export function checkQuobyte(source: QuobyteVolumeSource, path: FieldPath, errors: FieldErrors): void {
  const registry = source.registry ?? '';
  if (registry === '') errors.push(required(path.child('registry'), HOST_PORTS));
  else if ((source.tenant ?? '').length > QUOBYTE_TENANT_LENGTH_MAX) {
    const detail = 'must be a UUID and may not exceed a length of 64 characters';
    errors.push(required(path.child('tenant'), detail));
  } else {
    for (const pair of registry.split(',')) {
      if (!/^([^:[\]]*|\[[^[\]]*\]):[^:[\]]*$/.test(pair)) {
        errors.push(invalidValue(path.child('registry'), registry, HOST_PORTS));
      }
    }
  }
  checkFilled(source, ['volume'], path, errors);
}

export function checkFlocker(source: FlockerVolumeSource, path: FieldPath, errors: FieldErrors): void {
  const { datasetName = '', datasetUUID = '' } = source;
  if (datasetName === '' && datasetUUID === '') {
    errors.push(required(path, 'one of datasetName and datasetUUID is required'));
  }
  if (datasetName !== '' && datasetUUID !== '') {
    const detail = 'datasetName and datasetUUID can not be specified simultaneously';
    errors.push(invalidValue(path, 'resource', detail));
  }
  if (datasetName.includes('/')) {
    errors.push(invalidValue(path.child('datasetName'), datasetName, "must not contain '/'"));
  }
}

export function checkFlexVolume(
  source: { driver: string; options?: Record<string, string> },
  path: FieldPath,
  errors: FieldErrors,
): void {
  checkFilled(source, ['driver'], path, errors);
  for (const key of Object.keys(source.options ?? {})) {
    const namespace = `.${(key.split('/', 1)[0] ?? '').toLowerCase()}`;
    if (!namespace.endsWith('.kubernetes.io') && !namespace.endsWith('.k8s.io')) continue;
    const at = path.child('options').key(key);
    errors.push(invalidValue(at, key, 'kubernetes.io and k8s.io namespaces are reserved'));
  }
}

const MANAGED_DISK_URI =
  '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';
const BLOB_DISK_URI = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';

export function checkAzureDisk(source: AzureDiskVolumeSource, path: FieldPath, errors: FieldErrors): void {
  checkFilled(source, ['diskName', 'diskURI'], path, errors);
  checkOptionalOneOf(source.cachingMode, ['None', 'ReadOnly', 'ReadWrite'], path.child('cachingMode'), errors);
  checkOptionalOneOf(source.kind, ['Dedicated', 'Managed', 'Shared'], path.child('kind'), errors);
  if (source.kind === undefined) return;
  const uri = source.diskURI ?? '';
  const isManaged = source.kind === 'Managed';
  if (uri.startsWith(isManaged ? '/subscriptions/' : 'https://')) return;
  errors.push(notSupported(path.child('diskURI'), uri, [isManaged ? MANAGED_DISK_URI : BLOB_DISK_URI]));
}

interface SecretUser {
  readonly secretRef?: { readonly name?: string; readonly namespace?: string };
}

/** The secret of a source; a persistent volume must say in which namespace it is. */
export function checkSecretRef(
  { secretRef }: SecretUser,
  path: FieldPath,
  { isPersistent, errors }: { isPersistent: boolean; errors: FieldErrors },
): void {
  if (secretRef !== undefined) {
    checkFilled(secretRef, isPersistent ? ['name', 'namespace'] : ['name'], path.child('secretRef'), errors);
  }
}

export function checkStorageOs(
  source: SecretUser & { readonly volumeName?: string; readonly volumeNamespace?: string },
  path: FieldPath,
  options: { isPersistent: boolean; errors: FieldErrors },
): void {
  const { errors } = options;
  const { volumeName = '', volumeNamespace = '' } = source;
  if (volumeName === '') errors.push(required(path.child('volumeName'), ''));
  else checkMessages(isDns1123Label(volumeName), volumeName, path.child('volumeName'), errors);
  if (volumeNamespace !== '') {
    checkMessages(isDns1123Label(volumeNamespace), volumeNamespace, path.child('volumeNamespace'), errors);
  }
  checkSecretRef(source, path, options);
}

/** Names of CSI drivers are domain names, in any case. */
export function checkDriverName(name: string | undefined, path: FieldPath, errors: FieldErrors): void {
  const driver = name ?? '';
  if (driver === '') errors.push(required(path, ''));
  if (driver.length > DRIVER_NAME_LENGTH_MAX) errors.push(tooLong(path, DRIVER_NAME_LENGTH_MAX));
  checkMessages(isDns1123Subdomain(driver.toLowerCase()), driver, path, errors);
}
