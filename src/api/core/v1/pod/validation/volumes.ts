import { duplicateValue, forbiddenValue, invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { validateAnnotations, validateLabels } from '#machinery/validation/metadata.ts';
import { isDns1123Label, isDns1123Subdomain } from '#machinery/validation/names.ts';
import type {
  CSIVolumeSource,
  EphemeralVolumeSource,
  HostPathVolumeSource,
  KeyToPath,
  Volume,
} from '../../../../generated/types.ts';
import {
  checkMessages,
  checkOneOf,
  checkOptionalOneOf,
  checkRequired,
  type FieldErrors,
} from '../../../../validation/basics.ts';
import { checkClaimSpec } from '../../volumes/claim-spec.ts';
import { checkDriverName } from '../../volumes/network-sources.ts';
import { checkKeyToPath, checkMode } from './files.ts';
import { checkNetworkVolume } from './network-volumes.ts';
import type { PodSpecOptions } from './options.ts';
import { checkNoBacksteps } from './paths.ts';
import { checkDownwardFiles, checkProjected } from './projected-volumes.ts';

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

/** The order in which upstream looks at the sources: the first is the volume's, each further one an error. */
const sourceOrder =
  'emptyDir hostPath gitRepo gcePersistentDisk awsElasticBlockStore secret nfs iscsi glusterfs flocker persistentVolumeClaim rbd cinder cephfs quobyte downwardAPI fc flexVolume configMap azureFile vsphereVolume photonPersistentDisk portworxVolume azureDisk storageos projected scaleIO csi ephemeral image'.split(
    ' ',
  );
/** Where upstream's path of a second source is spelled in its own way. */
const oddPaths: Readonly<Record<string, string>> = { cephfs: 'cephFS', downwardAPI: 'downwarAPI' };

/** Checks the volumes and gives the valid ones by name: mounts may refer only to these. */
export function checkVolumes(
  volumes: readonly Volume[] | undefined,
  path: FieldPath,
  options: PodSpecOptions,
  errors: FieldErrors,
): ReadonlyMap<string, Volume> {
  const valid = new Map<string, Volume>();
  if (volumes === undefined) return valid;
  const podName = options.podName ?? '';
  for (const [index, volume] of volumes.entries()) {
    const at = path.index(index);
    const before = errors.length;
    checkSource(volume, at, options, errors);
    const namePath = at.child('name');
    if ((volume.name ?? '') === '') errors.push(required(namePath, ''));
    else checkMessages(isDns1123Label(volume.name), volume.name, namePath, errors);
    if (valid.has(volume.name)) errors.push(duplicateValue(namePath, volume.name));
    if (errors.length === before) valid.set(volume.name, volume);
    const claimName = volume.persistentVolumeClaim?.claimName;
    if (claimName === undefined || podName === '') continue;
    if (volumes.some((other) => other.ephemeral !== undefined && `${podName}-${other.name}` === claimName)) {
      const detail = 'must not reference a PVC that gets created for an ephemeral volume';
      errors.push(invalidValue(at.child('persistentVolumeClaim', 'claimName'), claimName, detail));
    }
  }
  return valid;
}

function checkSource(volume: Volume, path: FieldPath, options: PodSpecOptions, errors: FieldErrors): void {
  let sources = 0;
  for (const type in volume) if (type !== 'name') sources++;
  if (sources === 0) errors.push(required(path, 'must specify a volume type'));
  else if (sources === 1) checkType(volume, path, options, errors);
  else checkSeveral(volume, path, options, errors);
}

function checkSeveral(volume: Volume, path: FieldPath, options: PodSpecOptions, errors: FieldErrors): void {
  // Safe: a read-only view of a JSON object by name.
  const sources = volume as unknown as Readonly<Record<string, unknown>>;
  const [first, ...others] = sourceOrder.filter((type) => sources[type] !== undefined);
  if (first === undefined) return;
  // Safe: a volume with one of the volume's sources.
  checkType({ name: volume.name, [first]: sources[first] } as unknown as Volume, path, options, errors);
  for (const type of others) {
    errors.push(forbiddenValue(path.child(oddPaths[type] ?? type), 'may not specify more than 1 volume type'));
  }
}

/** The types that nodes make themselves; the rest are network volumes. */
function checkType(volume: Volume, path: FieldPath, options: PodSpecOptions, errors: FieldErrors): void {
  if (volume.hostPath !== undefined) checkHostPath(volume.hostPath, path.child('hostPath'), errors);
  else if (volume.emptyDir !== undefined) {
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
  } else if (volume.csi !== undefined) checkCsi(volume.csi, path.child('csi'), errors);
  else if (volume.ephemeral !== undefined) {
    checkEphemeral(volume.ephemeral, path.child('ephemeral'), errors);
    checkClaimName(volume.name, path, options, errors);
  } else if (volume.image !== undefined) {
    const at = path.child('image');
    if (options.isPod) checkRequired(volume.image.reference, at.child('reference'), errors);
    checkOneOf(volume.image.pullPolicy, ['Always', 'IfNotPresent', 'Never'], at.child('pullPolicy'), errors);
  } else checkNetworkVolume(volume, path, errors);
}

/** Also that of a persistent volume. */
export function checkHostPath(source: HostPathVolumeSource, path: FieldPath, errors: FieldErrors): void {
  if ((source.path ?? '') === '') {
    errors.push(required(path.child('path'), ''));
    return;
  }
  checkNoBacksteps(source.path, path.child('path'), errors);
  checkOptionalOneOf(source.type, hostPathTypes, path.child('type'), errors);
}

function checkCsi(source: CSIVolumeSource, path: FieldPath, errors: FieldErrors): void {
  checkDriverName(source.driver, path.child('driver'), errors);
  if (source.nodePublishSecretRef === undefined) return;
  const { name = '' } = source.nodePublishSecretRef;
  if (name === '') errors.push(required(path.child('nodePublishSecretRef', 'name'), ''));
  else checkMessages(isDns1123Subdomain(name), name, path.child('name'), errors);
}

function checkEphemeral(source: EphemeralVolumeSource, path: FieldPath, errors: FieldErrors): void {
  const at = path.child('volumeClaimTemplate');
  const template = source.volumeClaimTemplate;
  if (template === undefined) {
    errors.push(required(at, ''));
    return;
  }
  const metadata = template.metadata ?? {};
  errors.push(...validateAnnotations(metadata.annotations, at.child('metadata', 'annotations')));
  errors.push(...validateLabels(metadata.labels, at.child('metadata', 'labels')));
  for (const field of Object.keys(metadata)) {
    if (field === 'annotations' || field === 'labels' || field === 'creationTimestamp') continue;
    errors.push(forbiddenValue(at.child('metadata', field), 'cannot be set'));
  }
  checkClaimSpec(template.spec ?? {}, at.child('spec'), errors);
}

/** The claim is named after pod and volume. */
function checkClaimName(name: string, path: FieldPath, options: PodSpecOptions, errors: FieldErrors): void {
  const podName = options.podName ?? '';
  if (podName === '' || (name ?? '') === '') return;
  const claimName = `${podName}-${name}`;
  for (const message of isDns1123Subdomain(claimName)) {
    errors.push(invalidValue(path.child('name'), name, `PVC name ${JSON.stringify(claimName)}: ${message}`));
  }
}

function checkFiles(source: { defaultMode?: number; items?: KeyToPath[] }, path: FieldPath, errors: FieldErrors): void {
  checkMode(source.defaultMode, path.child('defaultMode'), errors);
  for (const [index, item] of (source.items ?? []).entries()) {
    checkKeyToPath(item, path.child('items').index(index), errors);
  }
}
