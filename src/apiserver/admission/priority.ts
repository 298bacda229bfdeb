import type { Pod, PriorityClass } from '#api/generated/types.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../pipeline/types.ts';
import { isResource, oldPodOf, podOf, refuse, type AdmissionDeps } from './plugin.ts';

const GROUP = 'scheduling.k8s.io';

/** Resolves a pod's priority from its PriorityClass; at most one class is the default. */
export function priority({ view }: Pick<AdmissionDeps, 'view'>): AdmissionPlugin {
  // Safe: the view holds PriorityClasses.
  const classes = () => view(GROUP, 'priorityclasses').list() as PriorityClass[];
  return {
    name: 'Priority',
    mutate: (request) => {
      const pod = podOf(request);
      if (pod?.spec === undefined) return;
      if (request.operation === 'CREATE') setPriority(request, pod, classes());
      if (request.operation === 'UPDATE') keepPriority(pod, oldPodOf(request));
    },
    validate: (request) => {
      if (!isResource(request, GROUP, 'priorityclasses') || request.info.subresource !== '') return;
      if (request.operation === 'CREATE' || request.operation === 'UPDATE') checkDefault(request, classes());
    },
  };
}

function setPriority(request: AdmissionRequest, pod: Pod, classes: readonly PriorityClass[]): void {
  const spec = pod.spec;
  if (spec === undefined) return;
  let found: PriorityClass | undefined;
  if (spec.priorityClassName === undefined || spec.priorityClassName === '') {
    found = defaultClass(classes);
    if (found?.metadata.name !== undefined) spec.priorityClassName = found.metadata.name;
  } else {
    found = classes.find(({ metadata }) => metadata.name === spec.priorityClassName);
    if (found === undefined) throw refuse(request, `no PriorityClass with name ${spec.priorityClassName} was found`);
  }
  const value = found?.value ?? 0;
  const preemption = found?.preemptionPolicy ?? 'PreemptLowerPriority';
  if (spec.priority !== undefined && spec.priority !== value) {
    throw refuse(
      request,
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; ` +
        `priority admission controller computed ${value} from the given PriorityClass name`,
    );
  }
  if (spec.preemptionPolicy !== undefined && found !== undefined && spec.preemptionPolicy !== preemption) {
    throw refuse(
      request,
      `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; ` +
        `priority admission controller computed ${preemption} from the given PriorityClass name`,
    );
  }
  spec.priority = value;
  spec.preemptionPolicy ??= preemption;
}

/** Clients that do not know the fields must be able to update a pod. */
function keepPriority(pod: Pod, old: Pod | undefined): void {
  if (pod.spec === undefined || old?.spec === undefined) return;
  if (pod.spec.priority === undefined && old.spec.priority !== undefined) pod.spec.priority = old.spec.priority;
  if (pod.spec.preemptionPolicy === undefined && old.spec.preemptionPolicy !== undefined) {
    pod.spec.preemptionPolicy = old.spec.preemptionPolicy;
  }
}

/** The lowest of the defaults, should there be several. */
function defaultClass(classes: readonly PriorityClass[]): PriorityClass | undefined {
  return classes
    .filter(({ globalDefault }) => globalDefault === true)
    .sort((a, b) => (a.value ?? 0) - (b.value ?? 0))[0];
}

function checkDefault(request: AdmissionRequest, classes: readonly PriorityClass[]): void {
  // Safe: what is written to priorityclasses is one.
  const written = request.object as PriorityClass;
  if (written.globalDefault !== true) return;
  const current = defaultClass(classes);
  if (current === undefined || current.metadata.name === written.metadata.name) return;
  throw refuse(
    request,
    `PriorityClass ${current.metadata.name ?? ''} is already marked as default. Only one default can exist`,
  );
}
