import type { Container, EphemeralContainer, Pod, PodSpec, Volume } from '#api/generated/types.ts';

/** What a pod violates: `privileged (container "a" must not set securityContext.privileged=true)`. */
export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

export type Check = (pod: Pod) => Violation | undefined;
export type AnyContainer = Container | EphemeralContainer;

const NOTHING = undefined;

export function allContainers(spec: PodSpec | undefined): AnyContainer[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])];
}

/** `container "a"`, or `containers "a", "b"`. */
export function named(word: string, names: readonly string[]): string {
  return `${names.length === 1 ? word : `${word}s`} ${quoted(names)}`;
}

export function quoted(values: readonly string[]): string {
  return values.map((value) => JSON.stringify(value)).join(', ');
}

/** A check of each container by itself. */
function containersThat(isBad: (container: AnyContainer) => boolean, text: { reason: string; rule: string }): Check {
  return ({ spec }) => {
    const bad = allContainers(spec)
      .filter(isBad)
      .map(({ name }) => name);
    return bad.length === 0 ? NOTHING : { reason: text.reason, detail: `${named('container', bad)} ${text.rule}` };
  };
}

const DEFAULT_CAPABILITIES = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  ),
);
const SELINUX_TYPES = new Set(['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t']);
const SAFE_SYSCTLS = new Set(
  (
    'kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range ' +
    'net.ipv4.ip_unprivileged_port_start net.ipv4.ip_local_reserved_ports net.ipv4.tcp_keepalive_time ' +
    'net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes net.ipv4.tcp_rmem ' +
    'net.ipv4.tcp_wmem'
  ).split(' '),
);

/** Capabilities beyond an allowed set; `names` of what is too much. */
export function addedCapabilities(spec: PodSpec | undefined, allowed: ReadonlySet<string>) {
  const containers: string[] = [];
  const names = new Set<string>();
  for (const container of allContainers(spec)) {
    const extra = (container.securityContext?.capabilities?.add ?? []).filter((name) => !allowed.has(name));
    if (extra.length > 0) containers.push(container.name);
    for (const name of extra) names.add(name);
  }
  return { containers, names: [...names].sort() };
}

const capabilities: Check = ({ spec }) => {
  const { containers, names } = addedCapabilities(spec, DEFAULT_CAPABILITIES);
  if (containers.length === 0) return NOTHING;
  const detail = `${named('container', containers)} must not include ${quoted(names)} in securityContext.capabilities.add`;
  return { reason: 'non-default capabilities', detail };
};

const hostNamespaces: Check = ({ spec }) => {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec?.[field] === true);
  return used.length === 0
    ? NOTHING
    : { reason: 'host namespaces', detail: used.map((field) => `${field}=true`).join(', ') };
};

const hostPathVolumes: Check = ({ spec }) => {
  const volumes = (spec?.volumes ?? []).filter((volume: Volume) => volume.hostPath !== undefined);
  return volumes.length === 0
    ? NOTHING
    : {
        reason: 'hostPath volumes',
        detail: named(
          'volume',
          volumes.map(({ name }) => name),
        ),
      };
};

const hostPorts: Check = ({ spec }) => {
  const containers: string[] = [];
  const ports = new Set<number>();
  for (const container of allContainers(spec)) {
    const used = (container.ports ?? []).flatMap(({ hostPort = 0 }) => (hostPort === 0 ? [] : [hostPort]));
    if (used.length > 0) containers.push(container.name);
    for (const port of used) ports.add(port);
  }
  if (containers.length === 0) return NOTHING;
  const use = containers.length === 1 ? 'uses' : 'use';
  const list = [...ports].sort((a, b) => a - b).join(', ');
  const word = ports.size === 1 ? 'hostPort' : 'hostPorts';
  return { reason: 'hostPort', detail: `${named('container', containers)} ${use} ${word} ${list}` };
};

const hostProbes: Check = ({ spec }) => {
  const containers: string[] = [];
  const hosts = new Set<string>();
  for (const container of allContainers(spec)) {
    const handlers = [
      container.livenessProbe,
      container.readinessProbe,
      container.startupProbe,
      container.lifecycle?.postStart,
      container.lifecycle?.preStop,
    ];
    const found = handlers
      .flatMap((handler) => [handler?.httpGet?.host, handler?.tcpSocket?.host])
      .filter((host) => host !== undefined && host !== '' && host !== '127.0.0.1' && host !== '::1');
    if (found.length > 0) containers.push(container.name);
    for (const host of found) if (host !== undefined) hosts.add(host);
  }
  if (containers.length === 0) return NOTHING;
  const use = containers.length === 1 ? 'uses' : 'use';
  const word = hosts.size === 1 ? 'host' : 'hosts';
  const detail = `${named('container', containers)} ${use} probe or lifecycle ${word} ${quoted([...hosts].sort())}`;
  return { reason: 'probe or lifecycle host', detail };
};

const privileged = containersThat(({ securityContext }) => securityContext?.privileged === true, {
  reason: 'privileged',
  rule: 'must not set securityContext.privileged=true',
});

const procMount: Check = ({ spec }) => {
  const bad = allContainers(spec).filter(({ securityContext }) => {
    const mount = securityContext?.procMount ?? 'Default';
    return mount !== 'Default';
  });
  if (bad.length === 0) return NOTHING;
  const types = [...new Set(bad.map(({ securityContext }) => securityContext?.procMount ?? ''))].sort();
  const names = bad.map(({ name }) => name);
  return {
    reason: 'procMount',
    detail: `${named('container', names)} must not set securityContext.procMount to ${quoted(types)}`,
  };
};

const seLinuxOptions: Check = ({ spec }) => {
  const setters: string[] = [];
  const problems = new Set<string>();
  const contexts = [
    { who: 'pod', options: spec?.securityContext?.seLinuxOptions },
    ...allContainers(spec).map(({ name, securityContext }) => ({
      who: `container ${JSON.stringify(name)}`,
      options: securityContext?.seLinuxOptions,
    })),
  ];
  for (const { who, options } of contexts) {
    if (options === undefined) continue;
    const own = [
      ...(SELINUX_TYPES.has(options.type ?? '') ? [] : [`type ${JSON.stringify(options.type)}`]),
      ...((options.user ?? '') === '' ? [] : ['user may not be set']),
      ...((options.role ?? '') === '' ? [] : ['role may not be set']),
    ];
    if (own.length > 0) setters.push(who);
    for (const problem of own) problems.add(problem);
  }
  if (setters.length === 0) return NOTHING;
  const detail = `${setters.join(' and ')} set forbidden securityContext.seLinuxOptions: ${[...problems].join('; ')}`;
  return { reason: 'seLinuxOptions', detail };
};

const seccompUnconfined: Check = ({ spec }) => {
  const setters = unconfined(spec, 'seccompProfile');
  if (setters.length === 0) return NOTHING;
  const detail = `${setters.join(' and ')} must not set securityContext.seccompProfile.type to "Unconfined"`;
  return { reason: 'seccompProfile', detail };
};

/** Who asks to run without a profile: the pod, its containers, or both. */
function unconfined(spec: PodSpec | undefined, profile: 'seccompProfile' | 'appArmorProfile'): string[] {
  const bad = allContainers(spec)
    .filter(({ securityContext }) => securityContext?.[profile]?.type === 'Unconfined')
    .map(({ name }) => name);
  const isPod = spec?.securityContext?.[profile]?.type === 'Unconfined';
  return [...(isPod ? ['pod'] : []), ...(bad.length === 0 ? [] : [named('container', bad)])];
}

const appArmorProfile: Check = ({ spec }) => {
  const setters = unconfined(spec, 'appArmorProfile');
  if (setters.length === 0) return NOTHING;
  return {
    reason: setters.length === 1 ? 'forbidden AppArmor profile' : 'forbidden AppArmor profiles',
    detail: `${setters.join(' and ')} must not set AppArmor profile type to "Unconfined"`,
  };
};

const sysctls: Check = ({ spec }) => {
  const bad = (spec?.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !SAFE_SYSCTLS.has(name));
  return bad.length === 0 ? NOTHING : { reason: 'forbidden sysctls', detail: bad.join(', ') };
};

const windowsHostProcess: Check = ({ spec }) => {
  const bad = allContainers(spec).filter(
    ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true,
  );
  const setters = [
    ...(spec?.securityContext?.windowsOptions?.hostProcess === true ? ['pod'] : []),
    ...(bad.length === 0
      ? []
      : [
          named(
            'container',
            bad.map(({ name }) => name),
          ),
        ]),
  ];
  if (setters.length === 0) return NOTHING;
  const detail = `${setters.join(' and ')} must not set securityContext.windowsOptions.hostProcess=true`;
  return { reason: 'hostProcess', detail };
};

/** The checks of the baseline level, in the order in which upstream reports them. */
export const BASELINE_CHECKS = {
  appArmorProfile,
  capabilities,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  hostProbes,
  privileged,
  procMount,
  seLinuxOptions,
  seccompUnconfined,
  sysctls,
  windowsHostProcess,
} as const;
