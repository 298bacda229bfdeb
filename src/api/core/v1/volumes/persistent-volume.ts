import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { parseQuantity } from '#machinery/quantity/quantity.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { isDns1123Label } from '#machinery/validation/names.ts';
import type { PersistentVolume, PersistentVolumeSpec } from '../../../generated/types.ts';
import { checkMessages, checkOptionalOneOf, type FieldErrors } from '../../../validation/basics.ts';
import { checkNodeSelector } from '../pod/validation/affinity.ts';
import { specDifference } from '../pod/validation/difference.ts';
import { checkNoBacksteps } from '../pod/validation/paths.ts';
import { checkHostPath } from '../pod/validation/volumes.ts';
import { checkAccessModes, checkClass, checkPositive, VOLUME_MODES } from './claim-spec.ts';
import { checkIscsi } from './iscsi.ts';
import {
  checkAzureDisk,
  checkDisk,
  checkDriverName,
  checkFibreChannel,
  checkFilled,
  checkFlexVolume,
  checkFlocker,
  checkNfs,
  checkQuobyte,
  checkSecretRef,
  checkStorageOs,
} from './network-sources.ts';
import { checkPersistentCsi } from './persistent-csi.ts';

const specPath = new FieldPath('spec');

/** In the order in which upstream looks at them: the first is the volume's, each further one an error. */
const sourceOrder =
  'hostPath gcePersistentDisk awsElasticBlockStore glusterfs flocker nfs rbd quobyte cephfs iscsi cinder fc flexVolume azureFile vsphereVolume photonPersistentDisk portworxVolume azureDisk scaleIO local storageos csi'.split(
    ' ',
  );

/** Sources of which upstream checks only that some fields are not empty. */
const requiredFields: Readonly<Record<string, readonly string[]>> = {
  rbd: ['monitors', 'image'],
  cephfs: ['monitors'],
  vsphereVolume: ['volumePath'],
  photonPersistentDisk: ['pdID'],
  portworxVolume: ['volumeID'],
  scaleIO: ['gateway', 'system', 'volumeName'],
};

export function validateVolume(volume: PersistentVolume): FieldError[] {
  const errors: FieldErrors = [];
  const { spec } = volume;
  const modes = spec.accessModes ?? [];
  if (modes.length === 0) errors.push(required(specPath.child('accessModes'), ''));
  checkAccessModes(modes, specPath.child('accessModes'), errors);
  checkCapacity(spec, specPath.child('capacity'), errors);
  const policyPath = specPath.child('persistentVolumeReclaimPolicy');
  checkOptionalOneOf(spec.persistentVolumeReclaimPolicy, ['Delete', 'Recycle', 'Retain'], policyPath, errors);
  if (spec.nodeAffinity !== undefined) {
    const at = specPath.child('nodeAffinity', 'required');
    if (spec.nodeAffinity.required !== undefined) checkNodeSelector(spec.nodeAffinity.required, at, errors);
    else errors.push(required(at, 'must specify required node constraints'));
  }
  checkSources(spec, volume.metadata.name ?? '', errors);
  if (spec.persistentVolumeReclaimPolicy === 'Recycle' && /^\/+\.?\/*$/.test(spec.hostPath?.path ?? '')) {
    errors.push(forbiddenValue(policyPath, "may not be 'recycle' for a hostPath mount of '/'"));
  }
  checkClass(spec.storageClassName, specPath.child('storageClassName'), errors);
  checkOptionalOneOf(spec.volumeMode, VOLUME_MODES, specPath.child('volumeMode'), errors);
  if (spec.volumeAttributesClassName !== undefined) {
    const at = specPath.child('volumeAttributesClassName');
    if (spec.volumeAttributesClassName === '') errors.push(required(at, 'an empty string is disallowed'));
    checkClass(spec.volumeAttributesClassName, at, errors);
    if (spec.csi === undefined) {
      errors.push(required(specPath.child('csi'), 'has to be specified when using volumeAttributesClassName'));
    }
  }
  return errors;
}

function checkCapacity({ capacity = {} }: PersistentVolumeSpec, path: FieldPath, errors: FieldErrors): void {
  const names = Object.keys(capacity);
  if (names.length === 0) errors.push(required(path, ''));
  if (capacity['storage'] === undefined || names.length > 1) errors.push(notSupported(path, capacity, ['storage']));
  for (const [name, amount] of Object.entries(capacity)) {
    const value = parseQuantity(amount).value();
    if (value < 0) errors.push(invalidValue(path.key(name), value, 'must be a valid resource quantity'));
    checkPositive(amount, path.key(name), errors);
  }
}

function checkSources(spec: PersistentVolumeSpec, name: string, errors: FieldErrors): void {
  // Safe: a read-only view of a JSON object by name.
  const sources = spec as unknown as Readonly<Record<string, object | undefined>>;
  const [first, ...others] = sourceOrder.filter((type) => sources[type] !== undefined);
  if (first === undefined) {
    errors.push(required(specPath, 'must specify a volume type'));
    return;
  }
  const fields = requiredFields[first];
  if (fields !== undefined) checkFilled(sources[first] ?? {}, fields, specPath.child(first), errors);
  else checkSource(first, spec, name, errors);
  for (const type of others) {
    const at = specPath.child(type === 'cephfs' ? 'cephFS' : type);
    errors.push(forbiddenValue(at, 'may not specify more than 1 volume type'));
  }
}

function checkSource(type: string, spec: PersistentVolumeSpec, name: string, errors: FieldErrors): void {
  const path = specPath.child(type);
  const persistent = { isPersistent: true, errors };
  if (type === 'hostPath' && spec.hostPath !== undefined) checkHostPath(spec.hostPath, path, errors);
  if (type === 'gcePersistentDisk' && spec.gcePersistentDisk !== undefined) {
    checkDisk(spec.gcePersistentDisk, 'pdName', specPath.child('persistentDisk'), errors);
  }
  if (type === 'awsElasticBlockStore' && spec.awsElasticBlockStore !== undefined) {
    checkDisk(spec.awsElasticBlockStore, 'volumeID', path, errors);
  }
  if (type === 'glusterfs') checkGlusterfs(spec, path, errors);
  if (type === 'flocker' && spec.flocker !== undefined) checkFlocker(spec.flocker, path, errors);
  if (type === 'nfs' && spec.nfs !== undefined) checkNfs(spec.nfs, path, errors);
  if (type === 'quobyte' && spec.quobyte !== undefined) checkQuobyte(spec.quobyte, path, errors);
  if (type === 'iscsi' && spec.iscsi !== undefined) {
    checkIscsi(spec.iscsi, path, specPath, { volumeName: name, ...persistent });
  }
  if (type === 'cinder' && spec.cinder !== undefined) {
    checkFilled(spec.cinder, ['volumeID'], path, errors);
    checkSecretRef(spec.cinder, path, persistent);
  }
  if (type === 'fc' && spec.fc !== undefined) checkFibreChannel(spec.fc, path, errors);
  if (type === 'flexVolume' && spec.flexVolume !== undefined) checkFlexVolume(spec.flexVolume, path, errors);
  if (type === 'azureFile' && spec.azureFile !== undefined) {
    checkFilled(spec.azureFile, ['secretName', 'shareName'], path, errors);
    if (spec.azureFile.secretNamespace === '') errors.push(required(path.child('secretNamespace'), ''));
  }
  if (type === 'azureDisk' && spec.azureDisk !== undefined) checkAzureDisk(spec.azureDisk, path, errors);
  if (type === 'local') checkLocal(spec, path, errors);
  if (type === 'storageos' && spec.storageos !== undefined) checkStorageOs(spec.storageos, path, persistent);
  if (type === 'csi' && spec.csi !== undefined) {
    checkDriverName(spec.csi.driver, path.child('driver'), errors);
    checkPersistentCsi(spec.csi, path, errors);
  }
}

function checkGlusterfs({ glusterfs }: PersistentVolumeSpec, path: FieldPath, errors: FieldErrors): void {
  if (glusterfs === undefined) return;
  checkFilled(glusterfs, ['endpoints', 'path'], path, errors);
  const namespace = glusterfs.endpointsNamespace;
  if (namespace === undefined) return;
  const at = path.child('endpointsNamespace');
  const detail = 'if the endpointnamespace is set, it must be a valid namespace name';
  if (namespace === '') errors.push(invalidValue(at, namespace, detail));
  else checkMessages(isDns1123Label(namespace), namespace, at, errors);
}

function checkLocal({ local, nodeAffinity }: PersistentVolumeSpec, path: FieldPath, errors: FieldErrors): void {
  const target = local?.path ?? '';
  if (target === '') errors.push(required(path.child('path'), ''));
  else checkNoBacksteps(target, path.child('path'), errors);
  if (nodeAffinity === undefined) {
    errors.push(required(specPath.child('nodeAffinity'), 'Local volume requires node affinity'));
  }
}

export function validateVolumeUpdate(next: PersistentVolume, current: PersistentVolume): FieldError[] {
  const errors = validateVolume(next);
  const source = sourcesOf(next.spec);
  const before = sourcesOf(current.spec);
  // A secret for growing may still be added.
  const { csi } = source;
  if (csi !== undefined && before.csi !== undefined && before.csi.controllerExpandSecretRef === undefined) {
    const { controllerExpandSecretRef: _added, ...rest } = csi;
    source.csi = rest;
  }
  if (!deepEqual(source, before)) {
    const detail = `spec.persistentvolumesource is immutable after creation\n${specDifference(before, source)}`;
    errors.push(forbiddenValue(specPath.child('persistentvolumesource'), detail));
  }
  errors.push(...immutableField(next.spec.volumeMode, current.spec.volumeMode, new FieldPath('volumeMode')));
  const affinity = current.spec.nodeAffinity;
  if (affinity !== undefined && !deepEqual(next.spec.nodeAffinity, affinity)) {
    const isRenamed = deepEqual(next.spec.nodeAffinity, withStableLabels(affinity, next.spec.nodeAffinity));
    const detail = 'field is immutable, except for updating from beta label to GA';
    if (!isRenamed) errors.push(invalidValue(new FieldPath('nodeAffinity'), next.spec.nodeAffinity, detail));
  }
  if (current.spec.volumeAttributesClassName !== undefined && next.spec.volumeAttributesClassName === undefined) {
    const at = specPath.child('volumeAttributesClassName');
    errors.push(forbiddenValue(at, 'update from non-nil value to nil is forbidden'));
  }
  return errors;
}

const stableLabels: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
};

type Affinity = NonNullable<PersistentVolumeSpec['nodeAffinity']>;

/** The affinity with old labels under their new names wherever the wanted one has the new name at the same place. */
function withStableLabels(affinity: Affinity, wanted: Affinity | undefined): Affinity {
  if (affinity.required === undefined) return affinity;
  const nodeSelectorTerms = affinity.required.nodeSelectorTerms.map((term, index) => {
    const other = wanted?.required?.nodeSelectorTerms[index];
    if (term.matchExpressions === undefined) return term;
    const matchExpressions = term.matchExpressions.map((requirement, position) => {
      const key = other?.matchExpressions?.[position]?.key ?? requirement.key;
      return stableLabels[requirement.key] === key ? { ...requirement, key } : requirement;
    });
    return { ...term, matchExpressions };
  });
  return { ...affinity, required: { ...affinity.required, nodeSelectorTerms } };
}

function sourcesOf(spec: PersistentVolumeSpec): Partial<PersistentVolumeSpec> {
  return Object.fromEntries(Object.entries(spec).filter(([name]) => sourceOrder.includes(name)));
}
