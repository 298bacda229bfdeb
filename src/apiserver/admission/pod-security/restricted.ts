import type { Volume } from '#api/generated/types.ts';
import { addedCapabilities, allContainers, BASELINE_CHECKS, named, quoted, type Check } from './checks.ts';

const ALLOWED_VOLUMES = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);
const ALLOWED_CAPABILITIES = new Set(['NET_BIND_SERVICE']);

const allowPrivilegeEscalation: Check = ({ spec }) => {
  if (spec?.os?.name === 'windows') return undefined;
  const bad = allContainers(spec).filter(({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (bad.length === 0) return undefined;
  const who = named(
    'container',
    bad.map(({ name }) => name),
  );
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${who} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

const capabilities: Check = ({ spec }) => {
  if (spec?.os?.name === 'windows') return undefined;
  const undropped = allContainers(spec).filter(
    ({ securityContext }) => securityContext?.capabilities?.drop?.includes('ALL') !== true,
  );
  const { containers, names } = addedCapabilities(spec, ALLOWED_CAPABILITIES);
  const details: string[] = [];
  if (undropped.length > 0) {
    const who = named(
      'container',
      undropped.map(({ name }) => name),
    );
    details.push(`${who} must set securityContext.capabilities.drop=["ALL"]`);
  }
  if (containers.length > 0) {
    const who = named('container', containers);
    details.push(`${who} must not include ${quoted(names)} in securityContext.capabilities.add`);
  }
  return details.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: details.join('; ') };
};

const restrictedVolumes: Check = ({ spec }) => {
  const names: string[] = [];
  const types = new Set<string>();
  for (const volume of spec?.volumes ?? []) {
    const type = volumeType(volume);
    if (ALLOWED_VOLUMES.has(type)) continue;
    names.push(volume.name);
    types.add(type);
  }
  if (names.length === 0) return undefined;
  const use = names.length === 1 ? 'uses' : 'use';
  const word = types.size === 1 ? 'restricted volume type' : 'restricted volume types';
  return {
    reason: 'restricted volume types',
    detail: `${named('volume', names)} ${use} ${word} ${quoted([...types].sort())}`,
  };
};

function volumeType(volume: Volume): string {
  return Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
}

const runAsNonRoot: Check = ({ spec }) => {
  const podValue = spec?.securityContext?.runAsNonRoot;
  const containers = allContainers(spec);
  const explicit = containers.filter(({ securityContext }) => securityContext?.runAsNonRoot === false);
  const implicit = containers.filter(
    ({ securityContext }) => securityContext?.runAsNonRoot === undefined && podValue !== true,
  );
  const setters = [
    ...(podValue === false && implicit.length > 0 ? ['pod'] : []),
    ...(explicit.length === 0
      ? []
      : [
          named(
            'container',
            explicit.map(({ name }) => name),
          ),
        ]),
  ];
  const reason = 'runAsNonRoot != true';
  if (setters.length > 0) {
    return { reason, detail: `${setters.join(' and ')} must not set securityContext.runAsNonRoot=false` };
  }
  if (implicit.length === 0) return undefined;
  const who = named(
    'container',
    implicit.map(({ name }) => name),
  );
  return { reason, detail: `pod or ${who} must set securityContext.runAsNonRoot=true` };
};

const runAsUser: Check = ({ spec }) => {
  const bad = allContainers(spec).filter(({ securityContext }) => securityContext?.runAsUser === 0);
  const setters = [
    ...(spec?.securityContext?.runAsUser === 0 ? ['pod'] : []),
    ...(bad.length === 0
      ? []
      : [
          named(
            'container',
            bad.map(({ name }) => name),
          ),
        ]),
  ];
  return setters.length === 0
    ? undefined
    : { reason: 'runAsUser=0', detail: `${setters.join(' and ')} must not set runAsUser=0` };
};

const seccompProfile: Check = (pod) => {
  const { spec } = pod;
  if (spec?.os?.name === 'windows') return undefined;
  const unconfined = BASELINE_CHECKS.seccompUnconfined(pod);
  if (unconfined !== undefined) return unconfined;
  const isGood = (type: string | undefined) => type === 'RuntimeDefault' || type === 'Localhost';
  const podType = spec?.securityContext?.seccompProfile?.type;
  const bad = allContainers(spec).filter(({ securityContext }) => {
    const own = securityContext?.seccompProfile?.type;
    return own === undefined ? !isGood(podType) : !isGood(own);
  });
  if (bad.length === 0) return undefined;
  const who = named(
    'container',
    bad.map(({ name }) => name),
  );
  return {
    reason: 'seccompProfile',
    detail: `pod or ${who} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
};

const { capabilities: _, hostPathVolumes: __, seccompUnconfined: ___, ...stillBaseline } = BASELINE_CHECKS;

/** The checks of both levels; restricted ones replace the baseline's where they are stricter about the same. */
export const CHECKS: Readonly<Record<'baseline' | 'restricted', readonly Check[]>> = {
  baseline: Object.values(BASELINE_CHECKS),
  restricted: [
    ...Object.values(stillBaseline),
    allowPrivilegeEscalation,
    capabilities,
    restrictedVolumes,
    runAsNonRoot,
    runAsUser,
    seccompProfile,
  ],
};
