import type { PolicyRule } from '#api/generated/types.ts';
import { allow, READ, recordEvents } from './rule.ts';

/** A Role in a namespace of the system, and who has it. */
export interface NamespaceRoleData {
  readonly namespace: 'kube-system' | 'kube-public';
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  /** Where it is not the role's. */
  readonly bindingName?: string;
  /** `u:` users, `s:` service accounts `NAMESPACE/NAME`. */
  readonly subjects: readonly string[];
}

const leaderLock = (component: string, extraAccounts: readonly string[], rules: readonly PolicyRule[]) => ({
  namespace: 'kube-system' as const,
  name: `system::leader-locking-${component}`,
  rules: [allow('watch', 'core', 'configmaps'), allow('get update', 'core', 'configmaps', component), ...rules],
  subjects: [`u:system:${component}`, `s:kube-system/${component}`, ...extraAccounts],
});

export const NAMESPACE_ROLES: readonly NamespaceRoleData[] = [
  {
    namespace: 'kube-system',
    name: 'extension-apiserver-authentication-reader',
    rules: [allow(READ, 'core', 'configmaps', 'extension-apiserver-authentication')],
    bindingName: 'system::extension-apiserver-authentication-reader',
    subjects: ['u:system:kube-controller-manager', 'u:system:kube-scheduler'],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:bootstrap-signer',
    rules: [allow(READ, 'core', 'secrets')],
    subjects: ['s:kube-system/bootstrap-signer'],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:cloud-provider',
    rules: [allow('create get list watch', 'core', 'configmaps')],
    subjects: ['s:kube-system/cloud-provider'],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:token-cleaner',
    rules: [allow('get list watch delete', 'core', 'secrets'), recordEvents()],
    subjects: ['s:kube-system/token-cleaner'],
  },
  leaderLock(
    'kube-controller-manager',
    ['s:kube-system/leader-election-controller'],
    [allow('get watch list create update', 'coordination.k8s.io', 'leases')],
  ),
  leaderLock('kube-scheduler', [], []),
  {
    namespace: 'kube-public',
    name: 'system:controller:bootstrap-signer',
    rules: [allow(READ, 'core', 'configmaps'), allow('update', 'core', 'configmaps', 'cluster-info'), recordEvents()],
    subjects: ['s:kube-system/bootstrap-signer'],
  },
];
