import { podRequests } from '#api/core/v1/pod/requests.ts';
import { resourceAmount } from '#api/core/v1/pod/requests.ts';
import type { Pod, PodAffinityTerm, WeightedPodAffinityTerm } from '#api/generated/types.ts';
import { compileLabelSelector, type LabelMatcher } from '#machinery/selectors/label-selector.ts';

/** Amounts as scheduling counts them: thousandths of a cpu, bytes, whole units. */
export interface Resources {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly ephemeralStorageBytes: number;
  /** Huge pages and extended resources. */
  readonly others: Readonly<Record<string, number>>;
}

export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** A term of pod (anti-)affinity, compiled. */
export interface AffinityTerm {
  readonly topologyKey: string;
  readonly weight: number;
  /** Whether a pod with these labels in this namespace is one that the term is about. */
  readonly selector: LabelMatcher;
  readonly namespaces: ReadonlySet<string>;
  readonly namespaceSelector: LabelMatcher | undefined;
}

/** A pod with all that scheduling asks of it, computed once. */
export interface PodInfo {
  readonly pod: Pod;
  readonly uid: string;
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly requests: Resources;
  /** Requests for scoring: a container that asks for nothing counts a little all the same. */
  readonly scoring: { readonly cpuMillis: number; readonly memoryBytes: number };
  readonly hostPorts: readonly HostPort[];
  readonly requiredAffinity: readonly AffinityTerm[];
  readonly requiredAntiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly AffinityTerm[];
  readonly preferredAntiAffinity: readonly AffinityTerm[];
}

/** Upstream's guesses for containers without requests. */
const DEFAULT_CPU_MILLIS = 100;
const DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024;

export function podInfoOf(pod: Pod): PodInfo {
  const namespace = pod.metadata.namespace ?? '';
  const requests = podRequests(pod);
  const affinity = pod.spec.affinity?.podAffinity;
  const antiAffinity = pod.spec.affinity?.podAntiAffinity;
  const required = (terms: PodAffinityTerm[] | undefined) => (terms ?? []).map((term) => compile(term, 0, namespace));
  const preferred = (terms: WeightedPodAffinityTerm[] | undefined) =>
    (terms ?? []).map((term) => compile(term.podAffinityTerm, term.weight, namespace));
  return {
    pod,
    uid: pod.metadata.uid ?? '',
    key: `${namespace}/${pod.metadata.name ?? ''}`,
    namespace,
    labels: pod.metadata.labels ?? {},
    priority: pod.spec.priority ?? 0,
    requests,
    scoring: scoringRequests(pod, requests),
    hostPorts: hostPortsOf(pod),
    requiredAffinity: required(affinity?.requiredDuringSchedulingIgnoredDuringExecution),
    requiredAntiAffinity: required(antiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferredAffinity: preferred(affinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAntiAffinity: preferred(antiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
  };
}

function compile(term: PodAffinityTerm, weight: number, namespace: string): AffinityTerm {
  const namespaces = term.namespaces ?? [];
  const isOwnNamespace = namespaces.length === 0 && term.namespaceSelector === undefined;
  return {
    topologyKey: term.topologyKey,
    weight,
    selector: compileLabelSelector(term.labelSelector),
    namespaces: new Set(isOwnNamespace ? [namespace] : namespaces),
    namespaceSelector: term.namespaceSelector === undefined ? undefined : compileLabelSelector(term.namespaceSelector),
  };
}

/** Whether a term is about a pod; `namespaceLabels` gives the labels of a namespace. */
export function termMatches(
  term: AffinityTerm,
  pod: PodInfo,
  namespaceLabels: (namespace: string) => Readonly<Record<string, string>>,
): boolean {
  const isNamespace =
    term.namespaces.has(pod.namespace) || term.namespaceSelector?.matches(namespaceLabels(pod.namespace)) === true;
  return isNamespace && term.selector.matches(pod.labels);
}

function scoringRequests(pod: Pod, requests: Resources): PodInfo['scoring'] {
  let cpuMillis = 0;
  let memoryBytes = 0;
  const sidecars = (pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  for (const { resources } of [...pod.spec.containers, ...sidecars]) {
    const cpu = resources?.requests?.['cpu'];
    const memory = resources?.requests?.['memory'];
    cpuMillis += cpu === undefined ? DEFAULT_CPU_MILLIS : resourceAmount('cpu', cpu);
    memoryBytes += memory === undefined ? DEFAULT_MEMORY_BYTES : resourceAmount('memory', memory);
  }
  return {
    cpuMillis: Math.max(cpuMillis, requests.cpuMillis),
    memoryBytes: Math.max(memoryBytes, requests.memoryBytes),
  };
}

function hostPortsOf(pod: Pod): HostPort[] {
  const sidecars = (pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  return [...pod.spec.containers, ...sidecars].flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => (port.hostPort ?? 0) > 0)
      .map((port) => ({
        ip: port.hostIP === undefined || port.hostIP === '' ? '0.0.0.0' : port.hostIP,
        protocol: port.protocol ?? 'TCP',
        port: port.hostPort ?? 0,
      })),
  );
}
