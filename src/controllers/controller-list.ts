import { clusterRoleAggregationController } from './clusterroleaggregation/controller.ts';
import type { ControllerDefinition } from './controller.ts';
import { cronJobController } from './cronjob/controller.ts';
import { daemonSetController } from './daemonset/controller.ts';
import { deploymentController } from './deployment/controller.ts';
import { disruptionController } from './disruption/controller.ts';
import { endpointsController } from './endpoints/controller.ts';
import { endpointSliceController } from './endpointslice/controller.ts';
import { endpointSliceMirroringController } from './endpointslicemirroring/controller.ts';
import { ephemeralVolumeController } from './ephemeralvolume/controller.ts';
import { garbageCollector } from './garbagecollector/controller.ts';
import { jobController } from './job/controller.ts';
import { namespaceController } from './namespace/controller.ts';
import { nodeIpamController } from './nodeipam/controller.ts';
import { nodeLifecycleController } from './nodelifecycle/controller.ts';
import { persistentVolumeBinder } from './persistentvolumebinder/controller.ts';
import { podGarbageCollector } from './podgc/controller.ts';
import { replicaSetController } from './replicaset/controller.ts';
import { replicationControllerController } from './replicationcontroller/controller.ts';
import { resourceQuotaController } from './resourcequota/controller.ts';
import { rootCaController } from './rootca/controller.ts';
import { serviceAccountController } from './serviceaccount/controller.ts';
import { serviceCidrController } from './servicecidrs/controller.ts';
import { statefulSetController } from './statefulset/controller.ts';
import {
  attributesClassProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from './storageprotection/controllers.ts';
import { taintEvictionController } from './tainteviction/controller.ts';
import { ttlAfterFinishedController } from './ttlafterfinished/controller.ts';

/** All controllers. A new one is a folder and a line here. */
export const controllerList: readonly ControllerDefinition[] = [
  attributesClassProtectionController,
  claimProtectionController,
  clusterRoleAggregationController,
  cronJobController,
  daemonSetController,
  deploymentController,
  disruptionController,
  endpointsController,
  endpointSliceController,
  endpointSliceMirroringController,
  ephemeralVolumeController,
  garbageCollector,
  jobController,
  namespaceController,
  nodeIpamController,
  nodeLifecycleController,
  persistentVolumeBinder,
  podGarbageCollector,
  replicaSetController,
  replicationControllerController,
  resourceQuotaController,
  rootCaController,
  serviceAccountController,
  serviceCidrController,
  statefulSetController,
  taintEvictionController,
  ttlAfterFinishedController,
  volumeProtectionController,
];

/**
 * The controllers that `--controllers` asks for: `*` stands for all, `foo` switches one on, `-foo` off; what names one
 * wins over `*`. Names that no controller has are given back, for the caller to refuse.
 */
export function selectControllers(
  all: readonly ControllerDefinition[],
  selection: readonly string[],
): { selected: ControllerDefinition[]; unknown: string[] } {
  const names = new Set(all.flatMap((definition) => [definition.name, ...definition.aliases]));
  const unknown = selection.filter((entry) => entry !== '*' && !names.has(entry.replace(/^-/, '')));
  const selected = all.filter((definition) => {
    const own = [definition.name, ...definition.aliases];
    if (own.some((name) => selection.includes(name))) return true;
    if (own.some((name) => selection.includes(`-${name}`))) return false;
    return selection.includes('*');
  });
  return { selected, unknown };
}
