import {
  mutatingAdmissionPoliciesV1alpha1,
  mutatingAdmissionPoliciesV1beta1,
  mutatingAdmissionPolicyBindingsV1alpha1,
  mutatingAdmissionPolicyBindingsV1beta1,
} from '../admissionregistration/v1/mutating-admission-policy.ts';
import { storageVersions } from '../apiserverinternal/v1alpha1/storage-version.ts';
import { clusterTrustBundles, clusterTrustBundlesV1alpha1 } from '../certificates/v1beta1/cluster-trust-bundle.ts';
import { podCertificateRequests } from '../certificates/v1beta1/pod-certificate-request.ts';
import { leaseCandidates, leaseCandidatesV1alpha2 } from '../coordination/v1beta1/lease-candidate.ts';
import { ipAddressesV1beta1, serviceCidrsV1beta1 } from '../networking/v1beta1/kinds.ts';
import { resourcePoolStatusRequests } from '../resource/v1alpha3/resource-pool-status-request.ts';
import {
  deviceClassesV1beta1,
  resourceClaimsV1beta1,
  resourceClaimTemplatesV1beta1,
  resourceSlicesV1beta1,
} from '../resource/v1beta1/kinds.ts';
import {
  deviceClassesV1beta2,
  deviceTaintRules,
  deviceTaintRulesV1alpha3,
  resourceClaimsV1beta2,
  resourceClaimTemplatesV1beta2,
  resourceSlicesV1beta2,
} from '../resource/v1beta2/kinds.ts';
import { podGroups, workloads } from '../scheduling/v1alpha2/workload-kinds.ts';
import { volumeAttributesClassesV1beta1 } from '../storage/v1beta1/kinds.ts';
import { storageVersionMigrations } from '../storagemigration/v1beta1/storage-version-migration.ts';
import type { KindRules } from './kind.ts';

/** Kinds of alpha and beta versions, which a server only serves when asked to. One line a kind. */
export const optionalKinds: readonly KindRules[] = [
  clusterTrustBundles,
  clusterTrustBundlesV1alpha1,
  deviceClassesV1beta1,
  deviceClassesV1beta2,
  deviceTaintRules,
  deviceTaintRulesV1alpha3,
  ipAddressesV1beta1,
  leaseCandidates,
  leaseCandidatesV1alpha2,
  mutatingAdmissionPoliciesV1alpha1,
  mutatingAdmissionPoliciesV1beta1,
  mutatingAdmissionPolicyBindingsV1alpha1,
  mutatingAdmissionPolicyBindingsV1beta1,
  podCertificateRequests,
  podGroups,
  resourceClaimTemplatesV1beta1,
  resourceClaimTemplatesV1beta2,
  resourceClaimsV1beta1,
  resourceClaimsV1beta2,
  resourcePoolStatusRequests,
  resourceSlicesV1beta1,
  resourceSlicesV1beta2,
  serviceCidrsV1beta1,
  storageVersionMigrations,
  storageVersions,
  volumeAttributesClassesV1beta1,
  workloads,
];
