import {
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
} from '../admissionregistration/v1/mutating-admission-policy.ts';
import {
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from '../admissionregistration/v1/validating-admission-policy.ts';
import {
  mutatingWebhookConfigurations,
  validatingWebhookConfigurations,
} from '../admissionregistration/v1/webhook-configurations.ts';
import { customResourceDefinitions } from '../apiextensions/v1/custom-resource-definition.ts';
import { apiServices } from '../apiregistration/v1/api-service.ts';
import { controllerRevisions } from '../apps/v1/controller-revision.ts';
import { daemonSets } from '../apps/v1/daemon-set/definition.ts';
import { deployments } from '../apps/v1/deployment/definition.ts';
import { replicaSets } from '../apps/v1/replica-set/definition.ts';
import { statefulSets } from '../apps/v1/stateful-set/definition.ts';
import { horizontalPodAutoscalers, horizontalPodAutoscalersV1 } from '../autoscaling/horizontal-pod-autoscaler.ts';
import { cronJobs } from '../batch/v1/cron-job.ts';
import { jobs } from '../batch/v1/job.ts';
import { certificateSigningRequests } from '../certificates/v1/certificate-signing-request.ts';
import { leases } from '../coordination/v1/lease.ts';
import { configMaps } from '../core/v1/config-map.ts';
import { endpoints } from '../core/v1/endpoints.ts';
import { events } from '../core/v1/event.ts';
import { namespaces } from '../core/v1/namespace.ts';
import { nodes } from '../core/v1/node/definition.ts';
import { pods } from '../core/v1/pod/definition.ts';
import { componentStatuses, podTemplates } from '../core/v1/template-kinds.ts';
import { limitRanges } from '../core/v1/limit-range.ts';
import { resourceQuotas } from '../core/v1/resource-quota.ts';
import { replicationControllers } from '../core/v1/replication-controller.ts';
import { secrets } from '../core/v1/secret.ts';
import { serviceAccounts } from '../core/v1/service-account.ts';
import { services } from '../core/v1/service/definition.ts';
import { persistentVolumeClaims, persistentVolumes } from '../core/v1/storage-kinds.ts';
import { endpointSlices } from '../discovery/v1/endpoint-slice.ts';
import { eventsV1Events } from '../events/v1/event.ts';
import { flowSchemas } from '../flowcontrol/v1/flow-schema.ts';
import { priorityLevelConfigurations } from '../flowcontrol/v1/priority-level-configuration.ts';
import { ingressClasses } from '../networking/v1/ingress-class.ts';
import { ingresses } from '../networking/v1/ingress.ts';
import { ipAddresses } from '../networking/v1/ip-address.ts';
import { networkPolicies } from '../networking/v1/network-policy.ts';
import { serviceCidrs } from '../networking/v1/service-cidr.ts';
import { runtimeClasses } from '../node/v1/runtime-class.ts';
import { podDisruptionBudgets } from '../policy/v1/pod-disruption-budget.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '../rbac/v1/kinds.ts';
import { deviceClasses } from '../resource/v1/device-class.ts';
import { resourceClaims, resourceClaimTemplates } from '../resource/v1/resource-claim.ts';
import { resourceSlices } from '../resource/v1/resource-slice.ts';
import { priorityClasses } from '../scheduling/v1/priority-class.ts';
import { csiDrivers } from '../storage/v1/csi-driver.ts';
import { csiNodes } from '../storage/v1/csi-node.ts';
import { csiStorageCapacities } from '../storage/v1/csi-storage-capacity.ts';
import { storageClasses } from '../storage/v1/storage-class.ts';
import { volumeAttachments } from '../storage/v1/volume-attachment.ts';
import { volumeAttributesClasses } from '../storage/v1/volume-attributes-class.ts';
import type { KindRules } from './kind.ts';

/** Every kind with rules of its own; the others of the resource table are stored as they come. One line a kind. */
export const builtinKinds: readonly KindRules[] = [
  apiServices,
  certificateSigningRequests,
  clusterRoleBindings,
  clusterRoles,
  componentStatuses,
  configMaps,
  controllerRevisions,
  cronJobs,
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  customResourceDefinitions,
  daemonSets,
  deployments,
  deviceClasses,
  endpointSlices,
  endpoints,
  events,
  eventsV1Events,
  flowSchemas,
  horizontalPodAutoscalers,
  horizontalPodAutoscalersV1,
  ingressClasses,
  ingresses,
  ipAddresses,
  jobs,
  leases,
  limitRanges,
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  mutatingWebhookConfigurations,
  namespaces,
  networkPolicies,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  podTemplates,
  pods,
  priorityClasses,
  priorityLevelConfigurations,
  replicaSets,
  replicationControllers,
  resourceClaimTemplates,
  resourceClaims,
  resourceQuotas,
  resourceSlices,
  roleBindings,
  roles,
  runtimeClasses,
  secrets,
  serviceAccounts,
  serviceCidrs,
  services,
  statefulSets,
  storageClasses,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
  volumeAttachments,
  volumeAttributesClasses,
];
