import { duplicateValue, forbiddenValue, invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Label, isDns1123Subdomain } from '#machinery/validation/names.ts';
import type { KeyToPath, Volume } from '../../../../generated/types.ts';
import { checkMessages, checkOptionalOneOf, checkRequired, type FieldErrors } from '../../../../validation/basics.ts';
import { checkDownwardFiles, checkProjected } from './projected-volumes.ts';
import { checkKeyToPath, checkMode } from './files.ts';
import { checkNoBacksteps } from './paths.ts';

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

/** Checks the volumes and gives the valid ones by name: mounts may refer only to these. */
export function checkVolumes(
  volumes: readonly Volume[] | undefined,
  path: FieldPath,
  errors: FieldErrors,
): ReadonlyMap<string, Volume> {
  const valid = new Map<string, Volume>();
  if (volumes === undefined) return valid;
  for (const [index, volume] of volumes.entries()) {
    const at = path.index(index);
    const before = errors.length;
    checkSource(volume, at, errors);
    const namePath = at.child('name');
    if ((volume.name ?? '') === '') errors.push(required(namePath, ''));
    else checkMessages(isDns1123Label(volume.name), volume.name, namePath, errors);
    if (valid.has(volume.name)) errors.push(duplicateValue(namePath, volume.name));
    if (errors.length === before) valid.set(volume.name, volume);
  }
  return valid;
}

function checkSource(volume: Volume, path: FieldPath, errors: FieldErrors): void {
  let sources = 0;
  for (const type in volume) {
    if (type === 'name') continue;
    sources++;
    if (sources > 1) errors.push(forbiddenValue(path.child(type), 'may not specify more than 1 volume type'));
    else checkType(volume, path, errors);
  }
  if (sources === 0) errors.push(required(path, 'must specify a volume type'));
}

/** Checks of the types that this project mounts in depth, and what others require. */
function checkType(volume: Volume, path: FieldPath, errors: FieldErrors): void {
  if (volume.hostPath !== undefined) {
    const at = path.child('hostPath');
    if ((volume.hostPath.path ?? '') === '') errors.push(required(at.child('path'), ''));
    else checkNoBacksteps(volume.hostPath.path, at.child('path'), errors);
    checkOptionalOneOf(volume.hostPath.type, hostPathTypes, at.child('type'), errors);
  } else if (volume.emptyDir !== undefined) {
    if (volume.emptyDir.sizeLimit?.startsWith('-') === true) {
      const at = path.child('emptyDir', 'sizeLimit');
      errors.push(forbiddenValue(at, 'SizeLimit field must be a valid resource quantity'));
    }
  } else if (volume.secret !== undefined) {
    const at = path.child('secret');
    checkRequired(volume.secret.secretName, at.child('secretName'), errors);
    checkFiles(volume.secret, at, errors);
  } else if (volume.configMap !== undefined) {
    const at = path.child('configMap');
    checkRequired(volume.configMap.name, at.child('name'), errors);
    checkFiles(volume.configMap, at, errors);
  } else if (volume.downwardAPI !== undefined) {
    const at = path.child('downwardAPI');
    checkMode(volume.downwardAPI.defaultMode, at.child('defaultMode'), errors);
    checkDownwardFiles(volume.downwardAPI.items, at, errors);
  } else if (volume.projected !== undefined) {
    const at = path.child('projected');
    checkMode(volume.projected.defaultMode, at.child('defaultMode'), errors);
    checkProjected(volume.projected.sources, at, errors);
  } else if (volume.persistentVolumeClaim !== undefined) {
    checkRequired(volume.persistentVolumeClaim.claimName, path.child('persistentVolumeClaim', 'claimName'), errors);
  } else if (volume.nfs !== undefined) {
    const at = path.child('nfs');
    checkRequired(volume.nfs.server, at.child('server'), errors);
    checkRequired(volume.nfs.path, at.child('path'), errors);
    if (volume.nfs.path !== undefined && !volume.nfs.path.startsWith('/')) {
      errors.push(invalidValue(at.child('path'), volume.nfs.path, 'must be an absolute path'));
    }
  } else if (volume.csi !== undefined) {
    const at = path.child('csi', 'driver');
    if ((volume.csi.driver ?? '') === '') errors.push(required(at, ''));
    else checkMessages(isDns1123Subdomain(volume.csi.driver.toLowerCase()), volume.csi.driver, at, errors);
  } else if (volume.ephemeral !== undefined) {
    if (volume.ephemeral.volumeClaimTemplate === undefined) {
      errors.push(required(path.child('ephemeral', 'volumeClaimTemplate'), ''));
    }
  } else if (volume.image !== undefined) {
    checkRequired(volume.image.reference, path.child('image', 'reference'), errors);
  } else {
    checkRequiredFields(volume, path, errors);
  }
}

/** Network volumes: the fields that must not be empty. */
const requiredFields: Readonly<Record<string, readonly string[]>> = {
  gitRepo: ['repository'],
  awsElasticBlockStore: ['volumeID'],
  gcePersistentDisk: ['pdName'],
  iscsi: ['targetPortal', 'iqn'],
  glusterfs: ['endpoints', 'path'],
  rbd: ['monitors', 'image'],
  cinder: ['volumeID'],
  cephfs: ['monitors'],
  azureFile: ['secretName', 'shareName'],
  azureDisk: ['diskName', 'diskURI'],
  vsphereVolume: ['volumePath'],
  quobyte: ['registry', 'volume'],
  flexVolume: ['driver'],
  photonPersistentDisk: ['pdID'],
  portworxVolume: ['volumeID'],
  scaleIO: ['gateway', 'system', 'volumeName'],
};

function checkRequiredFields(volume: Volume, path: FieldPath, errors: FieldErrors): void {
  for (const [type, fields] of Object.entries(requiredFields)) {
    // Safe: a read-only view of a JSON object by name.
    const source = (volume as unknown as Record<string, Record<string, unknown> | undefined>)[type];
    if (source === undefined) continue;
    for (const field of fields) {
      const value = source[field];
      if (value === undefined || value === '') errors.push(required(path.child(type, field), ''));
    }
  }
}

function checkFiles(source: { defaultMode?: number; items?: KeyToPath[] }, path: FieldPath, errors: FieldErrors): void {
  checkMode(source.defaultMode, path.child('defaultMode'), errors);
  for (const [index, item] of (source.items ?? []).entries()) {
    checkKeyToPath(item, path.child('items').index(index), errors);
  }
}
