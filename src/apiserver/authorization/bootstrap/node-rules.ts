import type { PolicyRule } from '#api/generated/types.ts';
import { allow, READ, recordEvents } from './rule.ts';

/** What a kubelet may do besides what its relation to an object allows; also the ClusterRole `system:node`. */
export const NODE_RULES: readonly PolicyRule[] = [
  allow('create', 'authentication.k8s.io', 'tokenreviews'),
  allow('create', 'authorization.k8s.io', 'subjectaccessreviews localsubjectaccessreviews'),
  allow(READ, 'core', 'services'),
  allow('create get list watch', 'core', 'nodes'),
  allow('update patch', 'core', 'nodes/status'),
  allow('update patch', 'core', 'nodes'),
  recordEvents(),
  allow(READ, 'core', 'pods'),
  allow('create delete', 'core', 'pods'),
  allow('update patch', 'core', 'pods/status'),
  allow('create', 'core', 'pods/eviction'),
  allow(READ, 'core', 'secrets configmaps'),
  allow('get', 'core', 'persistentvolumeclaims persistentvolumes'),
  allow('get', 'core', 'endpoints'),
  allow('create get list watch', 'certificates.k8s.io', 'certificatesigningrequests'),
  allow('get create update patch delete', 'coordination.k8s.io', 'leases'),
  allow('get', 'storage.k8s.io', 'volumeattachments'),
  allow('create', 'core', 'serviceaccounts/token'),
  allow('get update patch', 'core', 'persistentvolumeclaims/status'),
  allow(READ, 'storage.k8s.io', 'csidrivers'),
  allow('get create update patch delete', 'storage.k8s.io', 'csinodes'),
  allow(READ, 'node.k8s.io', 'runtimeclasses'),
  allow('get', 'resource.k8s.io', 'resourceclaims'),
  allow('deletecollection get list watch create update patch delete', 'resource.k8s.io', 'resourceslices'),
];
