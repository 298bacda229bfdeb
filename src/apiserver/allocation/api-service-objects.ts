import { localAvailable } from '#api/apiregistration/v1/api-service.ts';
import { API_SERVICES } from '#api/generated/resources.ts';
import type { APIService } from '#api/generated/types.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { Client } from '#client/client.ts';
import type { ServerParts } from '../server-parts.ts';
import { type KeepAction, KeptObjects } from './kept-objects.ts';

const GROUP = 'apiregistration.k8s.io';
/** Says that the server made the object: for versions it has from the start, or for those that come and go. */
const LABEL = 'kube-aggregator.kubernetes.io/automanaged';

/** Where groups stand in discovery, and their versions in them; higher numbers first. */
const GROUP_PRIORITIES: Readonly<Record<string, number>> = {
  '': 18_000,
  'events.k8s.io': 17_750,
  apps: 17_800,
  'authentication.k8s.io': 17_700,
  'authorization.k8s.io': 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  'certificates.k8s.io': 17_300,
  'networking.k8s.io': 17_200,
  policy: 17_100,
  'rbac.authorization.k8s.io': 17_000,
  'storage.k8s.io': 16_800,
  'apiextensions.k8s.io': 16_700,
  'admissionregistration.k8s.io': 16_700,
  'scheduling.k8s.io': 16_600,
  'coordination.k8s.io': 16_500,
  'node.k8s.io': 16_300,
  'discovery.k8s.io': 16_200,
  'resource.k8s.io': 16_200,
  'flowcontrol.apiserver.k8s.io': 16_100,
  'internal.apiserver.k8s.io': 16_000,
  'storagemigration.k8s.io': 15_900,
};
const VERSION_PRIORITIES: Readonly<Record<string, number>> = {
  '/v1': 1,
  'autoscaling/v2': 30,
  'certificates.k8s.io/v1alpha1': 1,
  'admissionregistration.k8s.io/v1beta1': 12,
  'coordination.k8s.io/v1beta1': 13,
  'coordination.k8s.io/v1alpha2': 12,
  'flowcontrol.apiserver.k8s.io/v1': 21,
  'resource.k8s.io/v1': 20,
  'resource.k8s.io/v1beta2': 15,
  'resource.k8s.io/v1alpha3': 1,
};
const STABLE_PRIORITY = 15;
const OTHER_PRIORITY = 9;
/** Of versions of custom resources. */
const CUSTOM_GROUP_PRIORITY = 1_000;
const CUSTOM_VERSION_PRIORITY = 100;

/** Keeps an APIService object for every version that the server itself serves, custom resources' included. */
export function keepApiServices(
  parts: ServerParts,
  deps: { client: Client; executor: Executor; log: Logger },
): KeptObjects<APIService> {
  const { registry } = parts;
  const custom = parts.view('apiextensions.k8s.io', 'customresourcedefinitions');
  let wanted = new Map<string, APIService>();
  return new KeptObjects<APIService>(
    {
      resource: API_SERVICES,
      view: parts.view(GROUP, 'apiservices'),
      dependsOn: [custom],
      names: () => {
        wanted = wantedServices(registry.all());
        return [...wanted.keys()];
      },
      plan: (name, current) => planService(wanted.get(name), current, deps.executor.clock.now()),
    },
    deps,
  );
}

function wantedServices(definitions: ReturnType<ServerParts['registry']['all']>): Map<string, APIService> {
  const wanted = new Map<string, APIService>();
  for (const { group, version, isCustom = false } of definitions) {
    const name = `${version}.${group}`;
    if (group === GROUP || wanted.has(name)) continue;
    wanted.set(name, {
      kind: 'APIService',
      apiVersion: `${GROUP}/v1`,
      metadata: { name, labels: { [LABEL]: isCustom ? 'true' : 'onstart' } },
      spec: {
        ...(group === '' ? {} : { group }),
        version,
        groupPriorityMinimum: isCustom ? CUSTOM_GROUP_PRIORITY : (GROUP_PRIORITIES[group] ?? CUSTOM_GROUP_PRIORITY),
        versionPriority: isCustom ? CUSTOM_VERSION_PRIORITY : versionPriority(group, version),
      },
    });
  }
  return wanted;
}

function versionPriority(group: string, version: string): number {
  return VERSION_PRIORITIES[`${group}/${version}`] ?? (/^v\d+$/.test(version) ? STABLE_PRIORITY : OTHER_PRIORITY);
}

/** An object that somebody took over, by taking the label away or changing it, is left alone. */
function planService(
  wanted: APIService | undefined,
  current: APIService | undefined,
  nowMs: number,
): KeepAction<APIService> {
  if (current === undefined) return wanted === undefined ? { type: 'none' } : { type: 'create', object: wanted };
  const label = current.metadata.labels?.[LABEL];
  const isOwn = label === 'true' || label === 'onstart';
  if (wanted === undefined) return isOwn ? { type: 'delete' } : { type: 'none' };
  if (isOwn && !isAsWanted(current, wanted)) {
    const labels = { ...current.metadata.labels, ...wanted.metadata.labels };
    return { type: 'update', object: { ...wanted, metadata: { ...current.metadata, labels } } };
  }
  const isLocal = current.spec?.service === undefined;
  const isAvailable = current.status?.conditions?.some(({ type, status }) => type === 'Available' && status === 'True');
  if (!isLocal || isAvailable === true) return { type: 'none' };
  const status = { conditions: [localAvailable(nowMs)] };
  return { type: 'update', object: { ...current, status }, subresource: 'status' };
}

function isAsWanted({ spec, metadata }: APIService, wanted: APIService): boolean {
  return (
    spec?.service === undefined &&
    spec?.groupPriorityMinimum === wanted.spec?.groupPriorityMinimum &&
    spec?.versionPriority === wanted.spec?.versionPriority &&
    metadata.labels?.[LABEL] === wanted.metadata.labels?.[LABEL]
  );
}
