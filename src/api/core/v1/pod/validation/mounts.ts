import { forbiddenValue, invalidValue, notFoundValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { Container, EphemeralContainer, Volume, VolumeMount } from '../../../../generated/types.ts';
import type { FieldErrors } from '../../../../validation/basics.ts';
import { checkDescendingPath } from './paths.ts';

const propagations = ['Bidirectional', 'HostToContainer', 'None'];
const recursiveReadOnlyModes = ['Disabled', 'Enabled', 'IfPossible'];

type AnyContainer = Container | EphemeralContainer;

export function checkVolumeMounts(
  container: AnyContainer,
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
    checkSubPath(mount, { path, at, errors });
    // The list's path without the index is upstream's.
    if (mount.mountPropagation !== undefined) checkPropagation(mount, container, path, errors);
    if (mount.recursiveReadOnly !== undefined) checkRecursiveReadOnly(mount, path, errors);
  }
}

function checkSubPath(
  mount: VolumeMount,
  { path, at, errors }: { path: FieldPath; at: FieldPath; errors: FieldErrors },
): void {
  const subPath = mount.subPath ?? '';
  const expression = mount.subPathExpr ?? '';
  if (subPath !== '') checkDescendingPath(subPath, path.child('subPath'), errors);
  if (expression === '') return;
  if (subPath !== '') {
    const detail = 'subPathExpr and subPath are mutually exclusive';
    errors.push(invalidValue(at.child('subPathExpr'), expression, detail));
  }
  checkDescendingPath(expression, path.child('subPathExpr'), errors);
}

function checkPropagation(mount: VolumeMount, container: AnyContainer, path: FieldPath, errors: FieldErrors): void {
  const { mountPropagation = '' } = mount;
  const at = path.child('mountPropagation');
  if (!propagations.includes(mountPropagation)) errors.push(notSupported(at, mountPropagation, propagations));
  if (mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true) {
    errors.push(forbiddenValue(at, 'Bidirectional mount propagation is available only to privileged containers'));
  }
}

function checkRecursiveReadOnly(mount: VolumeMount, path: FieldPath, errors: FieldErrors): void {
  const { mountPropagation, recursiveReadOnly = '' } = mount;
  if (recursiveReadOnly === 'Disabled') return;
  const at = path.child('recursiveReadOnly');
  if (!recursiveReadOnlyModes.includes(recursiveReadOnly)) {
    errors.push(notSupported(at, recursiveReadOnly, recursiveReadOnlyModes));
    return;
  }
  if (mount.readOnly !== true) errors.push(forbiddenValue(at, 'may only be specified when readOnly is true'));
  if (mountPropagation !== undefined && mountPropagation !== 'None') {
    errors.push(forbiddenValue(at, 'may only be specified when mountPropagation is None or not specified'));
  }
}

export function checkVolumeDevices(
  container: AnyContainer,
  path: FieldPath,
  volumes: ReadonlyMap<string, Volume>,
  errors: FieldErrors,
): void {
  if (container.volumeDevices === undefined) return;
  const names = new Set<string>();
  const devicePaths = new Set<string>();
  for (const [index, { name, devicePath }] of container.volumeDevices.entries()) {
    const at = path.index(index);
    const namePath = at.child('name');
    if ((name ?? '') === '') errors.push(required(namePath, ''));
    if (names.has(name)) errors.push(invalidValue(namePath, name, 'must be unique'));
    const volume = volumes.get(name);
    if (volume === undefined) errors.push(notFoundValue(namePath, name ?? ''));
    else if (volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined) {
      const detail = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode';
      errors.push(invalidValue(namePath, name, detail));
    }
    checkDevicePath(devicePath ?? '', at.child('devicePath'), devicePaths, errors);
    for (const mount of container.volumeMounts ?? []) {
      if (mount.name === name) errors.push(invalidValue(namePath, name, 'must not already exist in volumeMounts'));
      if (mount.mountPath === devicePath) {
        const detail = 'must not already exist as a path in volumeMounts';
        errors.push(invalidValue(at.child('devicePath'), devicePath, detail));
      }
    }
    names.add(name);
  }
}

function checkDevicePath(devicePath: string, path: FieldPath, taken: Set<string>, errors: FieldErrors): void {
  if (devicePath === '') errors.push(required(path, ''));
  if (taken.has(devicePath)) errors.push(invalidValue(path, devicePath, 'must be unique'));
  if (devicePath.split('/').includes('..')) {
    errors.push(invalidValue(path, devicePath, "can not contain backsteps ('..')"));
  } else taken.add(devicePath);
}
