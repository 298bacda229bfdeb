import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { ageColumn, column, createdAtColumn, nameColumn } from '../../columns/common.ts';
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES } from '../../generated/resources.ts';
import type { RoleRef, Subject } from '../../generated/types.ts';
import { defineKind, type KindColumn, type KindStrategy } from '../../registry/kind.ts';
import type { FieldErrors } from '../../validation/basics.ts';
import { pathSegmentName } from '../../validation/name-rules.ts';
import { checkRoleRef, checkRules, checkSubjects, defaultBinding } from './rules.ts';

const rulesPath = new FieldPath('rules');
const roleRefPath = new FieldPath('roleRef');
const common = { allowCreateOnUpdate: true, validateName: pathSegmentName } as const;

export const roles = defineKind(ROLES, {
  strategy: {
    ...common,
    validate: (role) => validateRules(role, true),
    validateUpdate: (role) => validateRules(role, true),
  },
  columns: [nameColumn, createdAtColumn],
});

export const clusterRoles = defineKind(CLUSTER_ROLES, {
  strategy: {
    ...common,
    validate: validateClusterRole,
    validateUpdate: validateClusterRole,
  },
  columns: [nameColumn, createdAtColumn],
});

type Rules = Parameters<typeof checkRules>[0];

function validateRules(role: { rules?: Rules }, namespaced: boolean): FieldError[] {
  const errors: FieldErrors = [];
  checkRules(role.rules, rulesPath, { namespaced, errors });
  return errors;
}

function validateClusterRole(role: {
  rules?: Rules;
  aggregationRule?: { clusterRoleSelectors?: Parameters<typeof validateLabelSelector>[0][] };
}): FieldError[] {
  const errors = validateRules(role, false);
  const path = new FieldPath('aggregationRule').child('clusterRoleSelectors');
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? [];
  if (role.aggregationRule !== undefined && selectors.length === 0) {
    errors.push(required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil'));
  }
  for (const [index, selector] of selectors.entries()) {
    errors.push(...validateLabelSelector(selector, path.index(index), {}));
  }
  return errors;
}

interface AnyBinding extends KubeObject {
  roleRef: RoleRef;
  subjects?: Subject[];
}

export const roleBindings = defineKind(ROLE_BINDINGS, {
  strategy: bindingStrategy(['ClusterRole', 'Role'], true),
  columns: bindingColumns('Role'),
});

export const clusterRoleBindings = defineKind(CLUSTER_ROLE_BINDINGS, {
  strategy: bindingStrategy(['ClusterRole'], false),
  columns: bindingColumns('ClusterRole'),
});

function bindingStrategy(kinds: readonly string[], namespaced: boolean): KindStrategy<AnyBinding> {
  const validate = (binding: AnyBinding): FieldError[] => {
    const errors: FieldErrors = [];
    checkRoleRef(binding.roleRef, roleRefPath, { kinds, errors });
    checkSubjects(binding.subjects, new FieldPath('subjects'), { namespaced, errors });
    return errors;
  };
  return {
    ...common,
    applyDefaults: defaultBinding,
    validate,
    validateUpdate(next, current) {
      const errors = validate(next);
      if (!deepEqual(next.roleRef, current.roleRef)) {
        // Upstream prints its internal form.
        const { apiGroup = '', kind, name } = next.roleRef;
        errors.push(invalidValue(roleRefPath, { APIGroup: apiGroup, Kind: kind, Name: name }, 'cannot change roleRef'));
      }
      return errors;
    },
  };
}

function bindingColumns(what: string): readonly KindColumn<AnyBinding>[] {
  const names = (binding: AnyBinding, kind: string): string =>
    (binding.subjects ?? [])
      .filter((subject) => subject.kind === kind)
      .map(({ namespace, name }) =>
        kind === 'ServiceAccount' && namespace !== undefined ? `${namespace}/${name}` : name,
      )
      .join(', ');
  return [
    nameColumn,
    column('Role', `RoleRef references ${what}`, ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
    ageColumn,
    column('Users', 'Users in the roleBinding', (binding) => names(binding, 'User'), { wide: true }),
    column('Groups', 'Groups in the roleBinding', (binding) => names(binding, 'Group'), { wide: true }),
    column('ServiceAccounts', 'ServiceAccounts in the roleBinding', (binding) => names(binding, 'ServiceAccount'), {
      wide: true,
    }),
  ];
}
