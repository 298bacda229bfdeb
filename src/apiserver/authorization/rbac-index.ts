import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef } from '#api/generated/types.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { UserInfo } from '../pipeline/types.ts';
import type { ResourceView } from '../server-parts.ts';

/** A role granted to a user, and by which binding. */
export interface Grant {
  readonly bindingKind: 'ClusterRoleBinding' | 'RoleBinding';
  /** `NAME`, or `NAME/NAMESPACE` for a RoleBinding, as upstream's reasons print it. */
  readonly bindingName: string;
  readonly subject: string;
  readonly roleRef: RoleRef;
  /** Empty for a ClusterRoleBinding. */
  readonly namespace: string;
}

type Binding = ClusterRoleBinding | RoleBinding;

/** The views of the four RBAC resources. */
export type RbacViews = (resource: 'roles' | 'rolebindings' | 'clusterroles' | 'clusterrolebindings') => ResourceView;

/**
 * Roles and bindings in memory, kept up to date change by change. Grants are found by subject, so that a decision
 * looks only at the user's own bindings and not at the whole cluster's.
 */
export class RbacIndex {
  readonly #views: RbacViews;
  /** Subject key and namespace (empty: cluster-wide) -> grants by binding name. */
  readonly #grants = new Map<string, Map<string, Grant>>();
  #isLoaded = false;

  constructor(views: RbacViews) {
    this.#views = views;
  }

  /** Every role the user has, cluster-wide and (unless empty) in `namespace`. */
  *grantsFor(user: UserInfo, namespace: string): Generator<Grant> {
    if (!this.#isLoaded) this.#load();
    const subjects = subjectKeys(user);
    for (const subject of subjects) {
      yield* this.#grants.get(grantKey(subject, ''))?.values() ?? [];
    }
    if (namespace === '') return;
    for (const subject of subjects) {
      yield* this.#grants.get(grantKey(subject, namespace))?.values() ?? [];
    }
  }

  /** The rules of a role; `undefined` where it does not exist. */
  rulesOf(roleRef: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    const isCluster = roleRef.kind === 'ClusterRole';
    const role = isCluster
      ? this.#views('clusterroles').get(roleRef.name)
      : this.#views('roles').get(roleRef.name, namespace);
    // Safe: the views hold roles.
    return role === undefined ? undefined : ((role as ClusterRole | Role).rules ?? []);
  }

  #load(): void {
    this.#isLoaded = true;
    for (const resource of ['clusterrolebindings', 'rolebindings'] as const) {
      const view = this.#views(resource);
      view.onChange(({ object, previous }) => {
        if (previous !== undefined) this.#remove(asBinding(previous));
        if (object !== undefined) this.#add(asBinding(object));
      });
      for (const binding of view.list()) this.#add(asBinding(binding));
    }
  }

  #add(binding: Binding): void {
    for (const { key, grant, name } of grantsOf(binding)) {
      let grants = this.#grants.get(key);
      if (grants === undefined) {
        grants = new Map();
        this.#grants.set(key, grants);
      }
      grants.set(name, grant);
    }
  }

  #remove(binding: Binding): void {
    for (const { key, name } of grantsOf(binding)) {
      const grants = this.#grants.get(key);
      grants?.delete(name);
      if (grants?.size === 0) this.#grants.delete(key);
    }
  }
}

function asBinding(object: KubeObject): Binding {
  // Safe: these views hold bindings.
  return object as Binding;
}

function grantsOf(binding: Binding): { key: string; name: string; grant: Grant }[] {
  const namespace = binding.metadata.namespace ?? '';
  const name = binding.metadata.name ?? '';
  return (binding.subjects ?? []).map((subject) => {
    const subjectNamespace = subject.namespace ?? namespace;
    const isAccount = subject.kind === 'ServiceAccount';
    const subjectName = isAccount ? `system:serviceaccount:${subjectNamespace}:${subject.name}` : subject.name;
    const shown = isAccount ? `${subject.name}/${subjectNamespace}` : subject.name;
    return {
      key: grantKey(`${subject.kind === 'Group' ? 'g' : 'u'}:${subjectName}`, namespace),
      name,
      grant: {
        bindingKind: namespace === '' ? 'ClusterRoleBinding' : 'RoleBinding',
        bindingName: namespace === '' ? name : `${name}/${namespace}`,
        subject: `${subject.kind} "${shown}"`,
        roleRef: binding.roleRef,
        namespace,
      },
    };
  });
}

function subjectKeys(user: UserInfo): string[] {
  return [`u:${user.username}`, ...user.groups.map((group) => `g:${group}`)];
}

function grantKey(subject: string, namespace: string): string {
  return `${namespace}\n${subject}`;
}
