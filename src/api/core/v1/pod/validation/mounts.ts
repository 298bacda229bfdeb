import { forbiddenValue, invalidValue, notFoundValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { Container, EphemeralContainer, Volume, VolumeMount } from '../../../../generated/types.ts';
import type { FieldErrors } from '../../../../validation/basics.ts';
import { checkDescendingPath } from './paths.ts';

const propagations = ['Bidirectional', 'HostToContainer', 'None'];

export function checkVolumeMounts(
  container: Container | EphemeralContainer,
  path: FieldPath,
  volumes: ReadonlyMap<string, Volume>,
  errors: FieldErrors,
): void {
  if (container.volumeMounts === undefined) return;
  const mountPaths = new Set<string>();
  for (const [index, mount] of container.volumeMounts.entries()) {
    const at = path.index(index);
    if ((mount.name ?? '') === '') errors.push(required(at.child('name'), ''));
    if (!volumes.has(mount.name)) errors.push(notFoundValue(at.child('name'), mount.name ?? ''));
    if ((mount.mountPath ?? '') === '') errors.push(required(at.child('mountPath'), ''));
    if (mountPaths.has(mount.mountPath)) {
      errors.push(invalidValue(at.child('mountPath'), mount.mountPath, 'must be unique'));
    }
    mountPaths.add(mount.mountPath);
    for (const device of container.volumeDevices ?? []) {
      if (device.name === mount.name) {
        errors.push(invalidValue(at.child('name'), mount.name, 'must not already exist in volumeDevices'));
      }
      if (device.devicePath === mount.mountPath) {
        const detail = 'must not already exist as a path in volumeDevices';
        errors.push(invalidValue(at.child('mountPath'), mount.mountPath, detail));
      }
    }
    // The list's path without the index is upstream's.
    checkSubPath(mount, path, errors);
    checkPropagation(mount, container, at, errors);
  }
}

function checkSubPath(mount: VolumeMount, path: FieldPath, errors: FieldErrors): void {
  const subPath = mount.subPath ?? '';
  const expression = mount.subPathExpr ?? '';
  if (subPath !== '') checkDescendingPath(subPath, path.child('subPath'), errors);
  if (expression === '') return;
  if (subPath !== '') {
    const detail = 'subPathExpr and subPath are mutually exclusive';
    errors.push(invalidValue(path.child('subPathExpr'), expression, detail));
  }
  checkDescendingPath(expression, path.child('subPathExpr'), errors);
}

function checkPropagation(
  mount: VolumeMount,
  container: Container | EphemeralContainer,
  path: FieldPath,
  errors: FieldErrors,
): void {
  const { mountPropagation, recursiveReadOnly } = mount;
  const at = path.child('mountPropagation');
  if (mountPropagation !== undefined) {
    if (!propagations.includes(mountPropagation)) errors.push(notSupported(at, mountPropagation, propagations));
    if (mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true) {
      errors.push(forbiddenValue(at, 'Bidirectional mount propagation is available only to privileged containers'));
    }
  }
  if (recursiveReadOnly === undefined || recursiveReadOnly === 'Disabled') return;
  const readOnlyPath = path.child('recursiveReadOnly');
  const values = ['Disabled', 'IfPossible', 'Enabled'];
  if (!values.includes(recursiveReadOnly)) {
    errors.push(notSupported(readOnlyPath, recursiveReadOnly, values));
    return;
  }
  if (mount.readOnly !== true) errors.push(forbiddenValue(readOnlyPath, 'may only be specified when readOnly is true'));
  if (mountPropagation !== undefined && mountPropagation !== 'None') {
    errors.push(forbiddenValue(readOnlyPath, 'may only be specified when mountPropagation is None or not specified'));
  }
}

export function checkVolumeDevices(
  container: Container | EphemeralContainer,
  path: FieldPath,
  volumes: ReadonlyMap<string, Volume>,
  errors: FieldErrors,
): void {
  if (container.volumeDevices === undefined) return;
  const names = new Set<string>();
  const devicePaths = new Set<string>();
  for (const [index, device] of container.volumeDevices.entries()) {
    const at = path.index(index);
    if ((device.name ?? '') === '') errors.push(required(at.child('name'), ''));
    if (names.has(device.name)) errors.push(invalidValue(at.child('name'), device.name, 'must be unique'));
    const volume = volumes.get(device.name);
    if (volume !== undefined && volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined) {
      const detail = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode';
      errors.push(invalidValue(at.child('name'), device.name, detail));
    }
    if (volume === undefined) errors.push(notFoundValue(at.child('name'), device.name ?? ''));
    if ((device.devicePath ?? '') === '') errors.push(required(at.child('devicePath'), ''));
    else if (devicePaths.has(device.devicePath)) {
      errors.push(invalidValue(at.child('devicePath'), device.devicePath, 'must be unique'));
    }
    names.add(device.name);
    devicePaths.add(device.devicePath);
  }
}
