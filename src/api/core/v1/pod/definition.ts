import { PODS } from '../../../generated/resources.ts';
import type { Pod, PodStatus } from '../../../generated/types.ts';
import { carryOver } from '../../../registry/carry-over.ts';
import { defineKind } from '../../../registry/kind.ts';
import { podColumns } from './columns.ts';
import { isPodTerminal } from './conditions.ts';
import { defaultPod } from './defaults.ts';
import { mergeMatchLabelKeys } from './match-label-keys.ts';
import { qosClass } from './requests.ts';
import { validatePodCreate } from './validation/pod-spec.ts';
import { validatePodResize } from './validation/resize.ts';
import { validatePodStatusUpdate } from './validation/status-update.ts';
import { validatePodUpdate } from './validation/update.ts';
import { podWarnings } from './warnings.ts';

export const pods = defineKind(PODS, {
  strategy: {
    hasGeneration: true,
    applyDefaults: defaultPod,
    prepareForCreate,
    prepareForUpdate(next, current) {
      carryOver(next, current, 'status');
    },
    prepareForStatusUpdate(next, current) {
      carryOver(next, current, 'spec');
      if (current.metadata.ownerReferences === undefined) delete next.metadata.ownerReferences;
      else next.metadata.ownerReferences = [...current.metadata.ownerReferences];
      if (next.status !== undefined && next.status.qosClass === undefined && current.status?.qosClass !== undefined) {
        next.status.qosClass = current.status.qosClass;
      }
    },
    validate: validatePodCreate,
    validateUpdate: validatePodUpdate,
    validateStatusUpdate: validatePodStatusUpdate,
    warnings: podWarnings,
    subresources: { resize: { validate: validatePodResize } },
    gracePeriodSeconds,
  },
  columns: podColumns,
  selectableFields: {
    'spec.nodeName': (pod) => pod.spec.nodeName ?? '',
    'spec.restartPolicy': (pod) => pod.spec.restartPolicy ?? '',
    'spec.schedulerName': (pod) => pod.spec.schedulerName ?? '',
    'spec.serviceAccountName': (pod) => pod.spec.serviceAccountName ?? '',
    'spec.hostNetwork': (pod) => String(pod.spec.hostNetwork ?? false),
    'status.phase': (pod) => pod.status?.phase ?? '',
    'status.podIP': (pod) => pod.status?.podIP ?? '',
    'status.podIPs': (pod) => pod.status?.podIP ?? '',
    'status.nominatedNodeName': (pod) => pod.status?.nominatedNodeName ?? '',
  },
});

function prepareForCreate(pod: Pod): void {
  const status: PodStatus = { phase: 'Pending', qosClass: qosClass(pod) };
  if ((pod.spec.schedulingGates ?? []).length > 0) {
    status.conditions = [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'SchedulingGated',
        message: 'Scheduling is blocked due to non-empty scheduling gates',
      },
    ];
  }
  pod.status = status;
  mergeMatchLabelKeys(pod);
}

/** Unscheduled and finished pods go at once; the others get their own or the requested time. */
function gracePeriodSeconds(pod: Pod, requestedSeconds: number | undefined): number {
  if ((pod.spec.nodeName ?? '') === '' || isPodTerminal(pod)) return 0;
  const seconds = requestedSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 0;
  return seconds < 0 ? 1 : seconds;
}
