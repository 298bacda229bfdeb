import { parseQuantity } from '#machinery/quantity/quantity.ts';
import type {
  Container,
  ContainerPort,
  EphemeralContainer,
  NodeSelectorTerm,
  Pod,
  PodSpec,
  PodTemplateSpec,
  Volume,
} from '../../../generated/types.ts';
import { claimSpecWarnings } from '../volumes/claim-warnings.ts';

/** Warnings for a pod, as upstream's strategy gives them on create and update. */
export function podWarnings(pod: Pod): string[] {
  return specWarnings({ spec: pod.spec, annotations: pod.metadata.annotations ?? {}, path: '', isPod: true });
}

/** The same for a template, at its path. */
export function templateWarnings(template: PodTemplateSpec | undefined, path = 'spec.template'): string[] {
  if (template?.spec === undefined) return [];
  const annotations = template.metadata?.annotations ?? {};
  return specWarnings({ spec: template.spec, annotations, path: `${path}.`, isPod: false });
}

interface Warned {
  readonly spec: PodSpec;
  readonly annotations: Readonly<Record<string, string>>;
  /** What stands before `spec` and `metadata`. */
  readonly path: string;
  readonly isPod: boolean;
}

type Emit = (path: string, text: string) => void;

const oldNodeLabels: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region': 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone': 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type': 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
};
const oldAnnotations: Readonly<Record<string, string>> = {
  'scheduler.alpha.kubernetes.io/critical-pod': 'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
};
const oldVolumes: Readonly<Record<string, string>> = {
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  gitRepo: 'deprecated in v1.11, and disabled by default in v1.33+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  flocker: 'deprecated in v1.22, non-functional in v1.25+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  quobyte: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
};
const oddVolumePaths: Readonly<Record<string, string>> = { storageos: 'storageOS' };
const NULL_SELECTOR = 'a null labelSelector results in matching no pod';

function specWarnings(warned: Warned): string[] {
  const { spec, path } = warned;
  const warnings: string[] = [];
  const emit: Emit = (at, text) => void warnings.push(`${path}${at}: ${text}`);
  warnPlacement(spec, emit);
  for (const [key, text] of Object.entries(oldAnnotations)) {
    if (warned.annotations[key] !== undefined) emit(`metadata.annotations[${key}]`, text);
  }
  if (spec.volumes !== undefined) warnings.push(...volumeWarnings(spec.volumes, `${path}spec.volumes`));
  warnDuplicates(spec, emit);
  warnFractions(spec.overhead, 'spec.overhead', emit);
  warnContainers(warned, emit);
  warnPorts(spec, path, emit);
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) {
    emit('spec.terminationGracePeriodSeconds', 'must be >= 0; negative values are invalid and will be treated as 1');
  }
  if (spec.affinity !== undefined) warnPodAffinity(spec, emit);
  return warnings;
}

function warnPlacement(spec: PodSpec, emit: Emit): void {
  for (const key of Object.keys(spec.nodeSelector ?? {})) {
    const text = oldNodeLabels[key];
    if (text !== undefined) emit(`spec.nodeSelector[${key}]`, text);
  }
  const affinity = spec.affinity?.nodeAffinity;
  const root = 'spec.affinity.nodeAffinity';
  const hard = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  for (const [index, term] of hard.entries()) {
    warnTerm(term, `${root}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${index}]`, emit);
  }
  for (const [index, soft] of (affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
    warnTerm(soft.preference, `${root}.preferredDuringSchedulingIgnoredDuringExecution[${index}].preference`, emit);
  }
  for (const [index, { topologyKey, labelSelector }] of (spec.topologySpreadConstraints ?? []).entries()) {
    const at = `spec.topologySpreadConstraints[${index}]`;
    const text = oldNodeLabels[topologyKey];
    if (text !== undefined) emit(`${at}.topologyKey`, `${topologyKey} is ${text}`);
    if (labelSelector === undefined) emit(`${at}.labelSelector`, NULL_SELECTOR);
  }
}

/** Old labels of nodes in a term of a node selector. */
function warnTerm(term: NodeSelectorTerm, path: string, emit: Emit): void {
  for (const [index, { key }] of (term.matchExpressions ?? []).entries()) {
    const text = oldNodeLabels[key];
    if (text !== undefined) emit(`${path}.matchExpressions[${index}].key`, `${key} is ${text}`);
  }
}

function volumeWarnings(volumes: readonly Volume[], path: string): string[] {
  const warnings: string[] = [];
  const tokens = new Set<string>();
  for (const [index, volume] of volumes.entries()) {
    for (const type in volume) {
      const text = oldVolumes[type];
      if (text !== undefined) warnings.push(`${path}[${index}].${oddVolumePaths[type] ?? type}: ${text}`);
    }
    const template = volume.ephemeral?.volumeClaimTemplate;
    if (template !== undefined) {
      warnings.push(...claimSpecWarnings(template.spec, `${path}[${index}].ephemeral.volumeClaimTemplate.spec`));
    }
    for (const source of volume.projected?.sources ?? []) {
      if (source.serviceAccountToken !== undefined) tokens.add(source.serviceAccountToken.path);
    }
  }
  if (tokens.size > 0) warnings.push(...hiddenTokens(volumes, tokens, path));
  return warnings;
}

/** Files that take the place of an account's token. */
function hiddenTokens(volumes: readonly Volume[], tokens: ReadonlySet<string>, path: string): string[] {
  const warnings: string[] = [];
  for (const [index, { projected }] of volumes.entries()) {
    for (const source of projected?.sources ?? []) {
      const root = `${path}[${index}].projected.sources`;
      const check = (at: string, file: string): void => {
        if (!tokens.has(file)) return;
        warnings.push(`${root}.${at}: has duplicated path with ServiceAccountToken ${JSON.stringify(file)}`);
      };
      for (const [j, item] of (source.configMap?.items ?? []).entries()) check(`configMap[${j}]`, item.path);
      for (const [j, item] of (source.secret?.items ?? []).entries()) check(`secrets[${j}]`, item.path);
      for (const [j, item] of (source.downwardAPI?.items ?? []).entries()) check(`downwardAPI[${j}]`, item.path);
      if (source.clusterTrustBundle !== undefined) check('ClusterTrustBundle', source.clusterTrustBundle.path);
    }
  }
  return warnings;
}

function warnDuplicates(spec: PodSpec, emit: Emit): void {
  const addresses = new Set<string>();
  for (const [index, { ip }] of (spec.hostAliases ?? []).entries()) {
    if (addresses.has(ip)) emit(`spec.hostAliases[${index}].ip`, `duplicate ip ${JSON.stringify(ip)}`);
    addresses.add(ip);
  }
  const names = new Set<string>();
  const secrets = spec.imagePullSecrets ?? [];
  for (const [index, { name = '' }] of secrets.entries()) {
    if (names.has(name)) emit(`spec.imagePullSecrets[${index}].name`, `duplicate name ${JSON.stringify(name)}`);
    names.add(name);
  }
  for (const [index, { name = '' }] of secrets.entries()) {
    if (name === '') emit(`spec.imagePullSecrets[${index}].name`, 'invalid empty name ""');
  }
}

/** There is no part of a byte. */
function warnFractions(list: Readonly<Record<string, string>> | undefined, path: string, emit: Emit): void {
  if (list === undefined) return;
  for (const name of ['memory', 'ephemeral-storage']) {
    const text = list[name];
    // Only these two suffixes and a point can make a fraction.
    if (text === undefined || !/[.numi-]/.test(text)) continue;
    const quantity = parseQuantity(text);
    if (quantity.milliValue() % 1000 === 0) continue;
    emit(`${path}[${name}]`, `fractional byte value ${JSON.stringify(text)} is invalid, must be an integer`);
  }
}

type AnyContainer = Container | EphemeralContainer;

/** Calls back with each container and where it is, in upstream's order. */
function eachContainer(spec: PodSpec, visit: (container: AnyContainer, path: string) => void): void {
  for (const field of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    for (const [index, container] of (spec[field] ?? []).entries()) visit(container, `spec.${field}[${index}]`);
  }
}

function warnContainers({ spec, annotations, isPod }: Warned, emit: Emit): void {
  eachContainer(spec, (container, path) => {
    const context = container.securityContext;
    const seccomp = `container.seccomp.security.alpha.kubernetes.io/${container.name}`;
    if (annotations[seccomp] !== undefined && context?.seccompProfile === undefined) {
      emit(`metadata.annotations[${seccomp}]`, 'non-functional in v1.27+; use the "seccompProfile" field instead');
    }
    const appArmor = `container.apparmor.security.beta.kubernetes.io/${container.name}`;
    const hasProfile = (context?.appArmorProfile ?? spec.securityContext?.appArmorProfile) !== undefined;
    if (!isPod && !hasProfile && annotations[appArmor] !== undefined) {
      emit(`metadata.annotations[${appArmor}]`, 'deprecated since v1.30; use the "appArmorProfile" field instead');
    }
    for (const side of ['limits', 'requests'] as const) {
      warnFractions(container.resources?.[side], `${path}.resources.${side}`, emit);
    }
    warnHiddenVariables(container, path, emit);
  });
}

function warnHiddenVariables({ env }: AnyContainer, path: string, emit: Emit): void {
  if (env === undefined || env.length < 2) return;
  const names = new Set<string>();
  for (const [index, { name, value = '', valueFrom }] of env.entries()) {
    // A value may build on the one before it: X=a, X=$(X)b.
    const own = `$(${name})`;
    const hides = valueFrom !== undefined || value === own || !value.includes(own);
    if (names.has(name) && hides) {
      const text = `hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`;
      emit(`${path}.env[${index}]`, text);
    }
    names.add(name);
  }
}

function warnPorts(spec: PodSpec, root: string, emit: Emit): void {
  const taken = new Map<string, { port: ContainerPort; at: string }[]>();
  eachContainer(spec, (container, path) => {
    for (const [index, port] of (container.ports ?? []).entries()) {
      const at = `${path}.ports[${index}]`;
      const { hostIP = '', hostPort = 0 } = port;
      if (hostIP !== '' && hostPort === 0) emit(at, `hostIP set without hostPort: ${printPort(port)}`);
      const key = `${port.containerPort}/${port.protocol ?? 'TCP'}`;
      const others = taken.get(key) ?? [];
      for (const other of others) {
        const relation = portRelation(port, other.port);
        if (relation !== undefined) emit(at, `${relation} port definition with ${root}${other.at}`);
      }
      taken.set(key, [...others, { port, at }]);
    }
  });
}

function portRelation(left: ContainerPort, right: ContainerPort): string | undefined {
  const [leftIp, rightIp] = [left.hostIP ?? '', right.hostIP ?? ''];
  const [leftPort, rightPort] = [left.hostPort ?? 0, right.hostPort ?? 0];
  if (leftIp === rightIp && leftPort === rightPort) return 'duplicate';
  if (leftPort === 0 || rightPort === 0) return 'overlapping';
  return leftPort === rightPort && (leftIp === '') !== (rightIp === '') ? 'dangerously ambiguous' : undefined;
}

/** As Go prints the record. */
function printPort({ name = '', hostPort = 0, containerPort, protocol = '', hostIP = '' }: ContainerPort): string {
  return `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`;
}

function warnPodAffinity({ affinity }: PodSpec, emit: Emit): void {
  for (const field of ['podAffinity', 'podAntiAffinity'] as const) {
    const terms = affinity?.[field];
    const root = `spec.affinity.${field}`;
    for (const [index, term] of (terms?.requiredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      const at = `${root}.requiredDuringSchedulingIgnoredDuringExecution[${index}].labelSelector`;
      if (term.labelSelector === undefined) emit(at, NULL_SELECTOR);
    }
    for (const [index, soft] of (terms?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      const at = `${root}.preferredDuringSchedulingIgnoredDuringExecution[${index}].podAffinityTerm.labelSelector`;
      if (soft.podAffinityTerm.labelSelector === undefined) emit(at, NULL_SELECTOR);
    }
  }
}
