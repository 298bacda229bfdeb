import { invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Subdomain, isPathSegmentName } from '#machinery/validation/names.ts';
import type { PolicyRule, RoleRef, Subject } from '../../generated/types.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';

export const RBAC_GROUP = 'rbac.authorization.k8s.io';

export function checkRules(
  rules: readonly PolicyRule[] | undefined,
  path: FieldPath,
  { namespaced, errors }: { namespaced: boolean; errors: FieldErrors },
): void {
  for (const [index, rule] of (rules ?? []).entries()) {
    const at = path.index(index);
    if ((rule.verbs ?? []).length === 0)
      errors.push(required(at.child('verbs'), 'verbs must contain at least one value'));
    const urls = rule.nonResourceURLs ?? [];
    if (urls.length > 0) {
      if (namespaced) {
        const detail = 'namespaced rules cannot apply to non-resource URLs';
        errors.push(invalidValue(at.child('nonResourceURLs'), urls, detail));
      }
      const named = [rule.apiGroups, rule.resources, rule.resourceNames].some((list) => (list ?? []).length > 0);
      if (named) {
        const detail = 'rules cannot apply to both regular resources and non-resource URLs';
        errors.push(invalidValue(at.child('nonResourceURLs'), urls, detail));
      }
      continue;
    }
    if ((rule.apiGroups ?? []).length === 0) {
      errors.push(required(at.child('apiGroups'), 'resource rules must supply at least one api group'));
    }
    if ((rule.resources ?? []).length === 0) {
      errors.push(required(at.child('resources'), 'resource rules must supply at least one resource'));
    }
  }
}

export function defaultBinding(binding: { roleRef: RoleRef; subjects?: Subject[] }): void {
  binding.roleRef.apiGroup ||= RBAC_GROUP;
  for (const subject of binding.subjects ?? []) {
    if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ||= RBAC_GROUP;
  }
}

export function checkRoleRef(
  ref: RoleRef,
  path: FieldPath,
  { kinds, errors }: { kinds: readonly string[]; errors: FieldErrors },
): void {
  if (ref.apiGroup !== RBAC_GROUP) errors.push(notSupported(path.child('apiGroup'), ref.apiGroup, [RBAC_GROUP]));
  if (!kinds.includes(ref.kind)) errors.push(notSupported(path.child('kind'), ref.kind, kinds));
  if ((ref.name ?? '') === '') errors.push(required(path.child('name'), ''));
  else checkMessages(isPathSegmentName(ref.name), ref.name, path.child('name'), errors);
}

export function checkSubjects(
  subjects: readonly Subject[] | undefined,
  path: FieldPath,
  { namespaced, errors }: { namespaced: boolean; errors: FieldErrors },
): void {
  for (const [index, subject] of (subjects ?? []).entries()) {
    const at = path.index(index);
    const group = subject.apiGroup ?? '';
    if ((subject.name ?? '') === '') errors.push(required(at.child('name'), ''));
    switch (subject.kind) {
      case 'ServiceAccount':
        if ((subject.name ?? '') !== '')
          checkMessages(isDns1123Subdomain(subject.name), subject.name, at.child('name'), errors);
        if (group !== '') errors.push(notSupported(at.child('apiGroup'), group, ['']));
        if (!namespaced && (subject.namespace ?? '') === '') errors.push(required(at.child('namespace'), ''));
        break;
      case 'User':
      case 'Group':
        // Upstream says so twice.
        if ((subject.name ?? '') === '') {
          errors.push(invalidValue(at.child('name'), '', `${subject.kind.toLowerCase()} name cannot be empty`));
        }
        if (group !== RBAC_GROUP) errors.push(notSupported(at.child('apiGroup'), group, [RBAC_GROUP]));
        break;
      default:
        errors.push(notSupported(at.child('kind'), subject.kind ?? '', ['ServiceAccount', 'User', 'Group']));
    }
  }
}
