import {
  duplicateValue,
  type FieldError,
  forbiddenValue,
  invalidValue,
  notSupported,
} from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { ipFamily } from '#machinery/validation/addresses.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { isDns1123Subdomain, isIpAddress, isQualifiedName } from '#machinery/validation/names.ts';
import type { Container, ContainerStatus, Pod } from '../../../../generated/types.ts';
import { checkMessages, checkRange, type FieldErrors, INT32_MAX } from '../../../../validation/basics.ts';
import { isRestartableInitContainer } from '../conditions.ts';
import { checkAnnotationChanges, checkPodAnnotations } from './annotations.ts';

const statusPath = new FieldPath('status');
const metadataPath = new FieldPath('metadata');
const annotationsPath = metadataPath.child('annotations');
const systemConditions = ['PodScheduled', 'Ready', 'Initialized'];
const healthValues = ['Healthy', 'Unhealthy', 'Unknown'];

/** The checks of a write through `/status`. */
export function validatePodStatusUpdate(next: Pod, current: Pod): FieldError[] {
  const errors: FieldErrors = [];
  const { spec, metadata, status = {} } = next;
  const before = current.status ?? {};
  checkPodAnnotations(metadata.annotations, { spec, path: annotationsPath, options: { isPod: true } }, errors);
  checkAnnotationChanges(metadata.annotations, current.metadata.annotations, annotationsPath, errors);
  for (const [index, { type }] of (status.conditions ?? []).entries()) {
    if (systemConditions.includes(type)) continue;
    // Upstream's path is that of the metadata.
    checkMessages(isQualifiedName(type), type, metadataPath.child('conditions').index(index).child('Type'), errors);
  }
  const nominated = status.nominatedNodeName ?? '';
  if (nominated !== '' && nominated !== before.nominatedNodeName) {
    checkMessages(isDns1123Subdomain(nominated), nominated, statusPath.child('nominatedNodeName'), errors);
  }
  errors.push(...immutableField(status.qosClass, before.qosClass, statusPath.child('qosClass')));
  checkAllTransitions(next, current, errors);
  checkClaimStatuses(next, errors);
  checkAddresses(status.podIPs, statusPath.child('podIPs'), errors);
  const { hostIPs = [], hostIP = '' } = status;
  const first = hostIPs[0]?.ip;
  if (first !== undefined && first !== hostIP) {
    errors.push(invalidValue(statusPath.child('hostIPs').index(0).child('ip'), first, 'must be equal to `hostIP`'));
  }
  checkAddresses(hostIPs, statusPath.child('hostIPs'), errors);
  for (const [field, containers] of statusLists(next)) checkReports(next, { field, containers, errors });
  return errors;
}

type StatusField = 'containerStatuses' | 'initContainerStatuses' | 'ephemeralContainerStatuses';

function statusLists({ spec }: Pod): [StatusField, readonly Container[] | undefined][] {
  return [
    ['containerStatuses', spec.containers],
    ['initContainerStatuses', spec.initContainers ?? []],
    ['ephemeralContainerStatuses', undefined],
  ];
}

/** One address of each family at most. */
function checkAddresses(list: readonly { ip?: string }[] | undefined, path: FieldPath, errors: FieldErrors): void {
  const addresses = (list ?? []).map(({ ip = '' }) => ip);
  for (const [index, address] of addresses.entries()) {
    checkMessages(isIpAddress(address), address, path.index(index), errors);
  }
  if (addresses.length < 2) return;
  const families = new Set(addresses.map(ipFamily));
  if (addresses.length > 2 || families.size < 2) {
    errors.push(invalidValue(path, list, 'may specify no more than one IP for each IP family'));
  }
  for (const [index, address] of addresses.entries()) {
    if (addresses.indexOf(address) < index) errors.push(duplicateValue(path.index(index), list?.[index]));
  }
}

/** A container that ended for good may not run again in its status. */
function checkAllTransitions(next: Pod, current: Pod, errors: FieldErrors): void {
  const { restartPolicy, initContainers = [], containers } = current.spec;
  const mayRestart = (status: ContainerStatus, container: Container | undefined): boolean => {
    if (container?.restartPolicy !== undefined || container?.restartPolicyRules !== undefined) return true;
    if (restartPolicy === 'Always') return true;
    return restartPolicy === 'OnFailure' && status.state?.terminated?.exitCode !== 0;
  };
  for (const [field] of statusLists(current)) {
    const path = statusPath.child(field);
    for (const [index, before] of (current.status?.[field] ?? []).entries()) {
      if (before.state?.terminated === undefined) continue;
      const named = ({ name }: { name: string }): boolean => name === before.name;
      const own = field === 'initContainerStatuses' ? initContainers.find(named) : containers.find(named);
      // Containers for looking around never run twice.
      if (field !== 'ephemeralContainerStatuses' && (mayRestart(before, own) || isRestartableInitContainer(own))) {
        continue;
      }
      const after = next.status?.[field]?.find(named);
      if (after === undefined || after.state?.terminated !== undefined) continue;
      const detail = 'may not be transitioned to non-terminated state';
      errors.push(forbiddenValue(path.index(index).child('state'), detail));
    }
  }
}

function checkClaimStatuses({ status, spec }: Pod, errors: FieldErrors): void {
  const names = new Set<string>();
  for (const [index, { name, resourceClaimName }] of (status?.resourceClaimStatuses ?? []).entries()) {
    const path = statusPath.child('resourceClaimStatuses').index(index).child('name');
    if (spec.resourceClaims?.some((claim) => claim.name === name) !== true) {
      errors.push(invalidValue(path, name, 'must match the name of an entry in `spec.resourceClaims`'));
    }
    if (names.has(name)) errors.push(duplicateValue(path, name));
    names.add(name);
    if (resourceClaimName !== undefined) {
      checkMessages(isDns1123Subdomain(resourceClaimName), resourceClaimName, path, errors);
    }
  }
}

interface ReportOptions {
  readonly field: StatusField;
  /** Undefined for those that may have no resources. */
  readonly containers: readonly Container[] | undefined;
  readonly errors: FieldErrors;
}

/** What a node reports of users and devices. */
function checkReports({ status, spec }: Pod, { field, containers, errors }: ReportOptions): void {
  for (const [index, report] of (status?.[field] ?? []).entries()) {
    const path = statusPath.child(field).index(index);
    const user = report.user?.linux;
    if (user !== undefined && spec.os?.name === 'windows') {
      errors.push(forbiddenValue(path.child('linux'), 'cannot be set for a windows pod'));
    } else if (user !== undefined) {
      const range = { min: 0, max: INT32_MAX };
      checkRange(user.uid, range, path.child('linux', 'uid'), errors);
      checkRange(user.gid, range, path.child('linux', 'gid'), errors);
      for (const [position, group] of (user.supplementalGroups ?? []).entries()) {
        checkRange(group, range, path.child('linux', 'supplementalGroups').index(position), errors);
      }
    }
    const at = path.child('allocatedResourcesStatus');
    if (containers !== undefined) {
      checkDevices(
        report,
        containers.find(({ name }) => name === report.name),
        at,
        errors,
      );
    } else if ((report.allocatedResourcesStatus ?? []).length > 0) {
      errors.push(forbiddenValue(at, 'must not be specified in container status'));
    }
  }
}

function checkDevices(
  report: ContainerStatus,
  container: Container | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  for (const [index, { name, resources = [] }] of (report.allocatedResourcesStatus ?? []).entries()) {
    const at = path.index(index);
    if (container !== undefined) {
      const isClaim = name.startsWith('claim:');
      const known = isClaim
        ? (container.resources?.claims ?? []).map((claim) =>
            (claim.request ?? '') === '' ? `claim:${claim.name}` : `claim:${claim.name}/${claim.request}`,
          )
        : Object.keys(container.resources?.requests ?? {});
      const detail = isClaim
        ? "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty"
        : "must match one of the container's resource requests";
      if (!known.includes(name)) errors.push(invalidValue(at.child('name'), name, detail));
    }
    const ids = new Set<string>();
    for (const [position, { resourceID, health = '' }] of resources.entries()) {
      const resourcePath = at.child('resources').index(position);
      if (!healthValues.includes(health)) errors.push(notSupported(resourcePath.child('health'), health, healthValues));
      if (ids.has(resourceID)) errors.push(duplicateValue(resourcePath.child('resourceID'), resourceID));
      ids.add(resourceID);
    }
  }
}
