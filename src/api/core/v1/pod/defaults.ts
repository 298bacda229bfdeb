import type { Container, EphemeralContainer, Pod, PodSpec, PodTemplateSpec } from '../../../generated/types.ts';
import { imageTag } from './image.ts';
import { defaultLifecycle, defaultProbe } from './probe-defaults.ts';
import { aggregateContainerRequests } from './requests.ts';
import { defaultFieldRef, defaultVolume } from './volume-defaults.ts';

/** The defaults of a pod itself; those of its spec that templates have, too, are in `defaultPodSpec`. */
export function defaultPod(pod: Pod): void {
  const { spec } = pod;
  defaultPodSpec(spec);
  for (const container of spec.containers) defaultRequests(container);
  for (const container of spec.initContainers ?? []) defaultRequests(container);
  defaultPodRequests(spec);
  spec.enableServiceLinks ??= true;
  if (spec.hostNetwork === true) {
    for (const container of spec.containers) defaultHostPorts(container);
    for (const container of spec.initContainers ?? []) defaultHostPorts(container);
  }
}

/** The defaults of a pod template, such as a Deployment's. */
export function defaultPodTemplate(template: PodTemplateSpec | undefined): void {
  if (template?.spec !== undefined) defaultPodSpec(template.spec);
}

export function defaultPodSpec(spec: PodSpec): void {
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  for (const container of spec.initContainers ?? []) defaultContainer(container);
  // A template without containers is invalid, but must not stop the defaulting of what is there.
  spec.containers ??= [];
  for (const container of spec.containers) defaultContainer(container);
  for (const container of spec.ephemeralContainers ?? []) defaultContainer(container);
  spec.restartPolicy ||= 'Always';
  spec.terminationGracePeriodSeconds ??= 30;
  spec.dnsPolicy ||= 'ClusterFirst';
  // The old and the new name of one field: both are always written.
  const account = spec.serviceAccountName ?? spec.serviceAccount;
  if (account !== undefined && account !== '') {
    spec.serviceAccountName = account;
    spec.serviceAccount = account;
  }
  spec.securityContext ??= {};
  spec.schedulerName ||= 'default-scheduler';
}

function defaultContainer(container: Container | EphemeralContainer): void {
  for (const port of container.ports ?? []) port.protocol ||= 'TCP';
  for (const variable of container.env ?? []) {
    if (variable.valueFrom === undefined) continue;
    defaultFieldRef(variable.valueFrom.fieldRef);
    if (variable.valueFrom.fileKeyRef !== undefined) variable.valueFrom.fileKeyRef.optional ??= false;
  }
  container.resources ??= {};
  if (container.livenessProbe !== undefined) defaultProbe(container.livenessProbe);
  if (container.readinessProbe !== undefined) defaultProbe(container.readinessProbe);
  if (container.startupProbe !== undefined) defaultProbe(container.startupProbe);
  if (container.lifecycle !== undefined) defaultLifecycle(container.lifecycle);
  container.terminationMessagePath ||= '/dev/termination-log';
  container.terminationMessagePolicy ||= 'File';
  container.imagePullPolicy ||= imageTag(container.image ?? '') === 'latest' ? 'Always' : 'IfNotPresent';
}

/** Limits without requests are requests, too. */
function defaultRequests(container: Container): void {
  const limits = container.resources?.limits;
  if (limits === undefined) return;
  const requests = (container.resources ??= {}).requests ?? {};
  let added = false;
  for (const name in limits) {
    const limit = limits[name];
    if (limit === undefined || requests[name] !== undefined) continue;
    requests[name] = limit;
    added = true;
  }
  if (added) container.resources.requests = requests;
}

/** Requests of the pod as a whole (KEP-2837): from its containers, else from the pod's own limits. */
function defaultPodRequests(spec: PodSpec): void {
  if (spec.resources === undefined) return;
  const requests = { ...spec.resources.requests };
  const ofContainers = aggregateContainerRequests(spec);
  for (const name in ofContainers) {
    if (requests[name] === undefined && (name === 'cpu' || name === 'memory'))
      requests[name] = ofContainers[name] ?? '0';
  }
  for (const [name, limit] of Object.entries(spec.resources.limits ?? {})) {
    if (requests[name] === undefined && isPodLevelResource(name)) requests[name] = limit;
  }
  if (Object.keys(requests).length > 0) spec.resources.requests = requests;
}

function isPodLevelResource(name: string): boolean {
  return name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');
}

function defaultHostPorts(container: Container): void {
  for (const port of container.ports ?? []) if ((port.hostPort ?? 0) === 0) port.hostPort = port.containerPort;
}
