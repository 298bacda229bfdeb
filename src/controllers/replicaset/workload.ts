import type {
  PodTemplateSpec,
  ReplicaSet,
  ReplicaSetStatus,
  ReplicationController,
  ReplicationControllerStatus,
} from '#api/generated/types.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { LabelMatcher } from '#machinery/selectors/label-selector.ts';
import { compileLabelSelector, labelSelectorFromSet } from '#machinery/selectors/label-selector.ts';

/** What a ReplicaSet and a ReplicationController have in common: so many pods of one template. */
export interface ReplicaWorkload {
  readonly object: KubeObject;
  readonly replicas: number;
  readonly minReadySeconds: number;
  readonly selector: LabelMatcher;
  readonly template: PodTemplateSpec;
  readonly status: ReplicaSetStatus;
}

export function workloadOfReplicaSet(set: ReplicaSet): ReplicaWorkload {
  return {
    object: set,
    replicas: set.spec.replicas ?? 1,
    minReadySeconds: set.spec.minReadySeconds ?? 0,
    selector: compileLabelSelector(set.spec.selector),
    template: set.spec.template ?? {},
    status: set.status ?? { replicas: 0 },
  };
}

export function workloadOfController(controller: ReplicationController): ReplicaWorkload {
  const status: ReplicationControllerStatus = controller.status ?? { replicas: 0 };
  return {
    object: controller,
    replicas: controller.spec.replicas ?? 1,
    minReadySeconds: controller.spec.minReadySeconds ?? 0,
    selector: labelSelectorFromSet(controller.spec.selector ?? {}),
    template: controller.spec.template ?? {},
    status,
  };
}
