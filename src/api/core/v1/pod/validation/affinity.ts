import { forbiddenValue, invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { validateLabelName } from '#machinery/validation/metadata.ts';
import { isDns1123Label, isDns1123Subdomain, isValidLabelValue } from '#machinery/validation/names.ts';
import type {
  Affinity,
  NodeAffinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  PodAntiAffinity,
} from '../../../../generated/types.ts';
import { checkMessages, type FieldErrors } from '../../../../validation/basics.ts';
import { checkKeysNotSelected } from './topology-spread.ts';

const REQUIRED_FIELD = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED_FIELD = 'preferredDuringSchedulingIgnoredDuringExecution';

export function checkAffinity(affinity: Affinity, path: FieldPath, errors: FieldErrors): void {
  if (affinity.nodeAffinity !== undefined) checkNodeAffinity(affinity.nodeAffinity, path.child('nodeAffinity'), errors);
  for (const field of ['podAffinity', 'podAntiAffinity'] as const) {
    const terms = affinity[field];
    if (terms !== undefined) checkPodAffinity(terms, path.child(field), errors);
  }
}

function checkNodeAffinity(affinity: NodeAffinity, path: FieldPath, errors: FieldErrors): void {
  const hard = affinity[REQUIRED_FIELD];
  if (hard !== undefined) checkNodeSelector(hard, path.child(REQUIRED_FIELD), errors);
  for (const [index, term] of (affinity[PREFERRED_FIELD] ?? []).entries()) {
    const at = path.child(PREFERRED_FIELD).index(index);
    checkWeight(term.weight, at, errors);
    // What is only preferred may name values that no label can have.
    checkNodeSelectorTerm(term.preference, at.child('preference'), { allowsAnyValue: true, errors });
  }
}

export function checkNodeSelector(selector: NodeSelector, path: FieldPath, errors: FieldErrors): void {
  const at = path.child('nodeSelectorTerms');
  if ((selector.nodeSelectorTerms ?? []).length === 0) {
    errors.push(required(at, 'must have at least one node selector term'));
    return;
  }
  for (const [index, term] of selector.nodeSelectorTerms.entries())
    checkNodeSelectorTerm(term, at.index(index), { allowsAnyValue: false, errors });
}

function checkNodeSelectorTerm(
  term: NodeSelectorTerm,
  path: FieldPath,
  { allowsAnyValue, errors }: { allowsAnyValue: boolean; errors: FieldErrors },
): void {
  for (const [index, requirement] of (term.matchExpressions ?? []).entries()) {
    const at = path.child('matchExpressions').index(index);
    checkRequirement(requirement, at, errors);
    if (allowsAnyValue) continue;
    for (const [position, value] of (requirement.values ?? []).entries()) {
      checkMessages(isValidLabelValue(value), value, at.child('values').index(position), errors);
    }
  }
  for (const [index, requirement] of (term.matchFields ?? []).entries()) {
    checkFieldRequirement(requirement, path.child('matchFields').index(index), errors);
  }
}

function checkRequirement(requirement: NodeSelectorRequirement, path: FieldPath, errors: FieldErrors): void {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) {
        errors.push(required(path.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"));
      }
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) {
        const detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
        errors.push(forbiddenValue(path.child('values'), detail));
      }
      break;
    case 'Gt':
    case 'Lt':
      if (values.length !== 1) {
        const detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
        errors.push(required(path.child('values'), detail));
      }
      break;
    default:
      errors.push(invalidValue(path.child('operator'), requirement.operator ?? '', 'not a valid selector operator'));
  }
  errors.push(...validateLabelName(requirement.key ?? '', path.child('key')));
}

function checkFieldRequirement(requirement: NodeSelectorRequirement, path: FieldPath, errors: FieldErrors): void {
  const values = requirement.values ?? [];
  if (requirement.operator === 'In' || requirement.operator === 'NotIn') {
    if (values.length !== 1) {
      const detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
      errors.push(required(path.child('values'), detail));
    }
  } else {
    errors.push(invalidValue(path.child('operator'), requirement.operator ?? '', 'not a valid selector operator'));
  }
  if (requirement.key !== 'metadata.name') {
    errors.push(invalidValue(path.child('key'), requirement.key ?? '', 'not a valid field selector key'));
    return;
  }
  for (const [index, value] of values.entries()) {
    checkMessages(isDns1123Subdomain(value), value, path.child('values').index(index), errors);
  }
}

function checkWeight(weight: number, path: FieldPath, errors: FieldErrors): void {
  if (weight <= 0 || weight > 100)
    errors.push(invalidValue(path.child('weight'), weight, 'must be in the range 1-100'));
}

function checkPodAffinity(affinity: PodAffinity | PodAntiAffinity, path: FieldPath, errors: FieldErrors): void {
  for (const [index, term] of (affinity[REQUIRED_FIELD] ?? []).entries()) {
    checkPodAffinityTerm(term, path.child(REQUIRED_FIELD).index(index), errors);
  }
  for (const [index, term] of (affinity[PREFERRED_FIELD] ?? []).entries()) {
    const at = path.child(PREFERRED_FIELD).index(index);
    checkWeight(term.weight, at, errors);
    checkPodAffinityTerm(term.podAffinityTerm, at.child('podAffinityTerm'), errors);
  }
}

function checkPodAffinityTerm(term: PodAffinityTerm, path: FieldPath, errors: FieldErrors): void {
  for (const field of ['labelSelector', 'namespaceSelector'] as const) {
    const selector = term[field];
    if (selector !== undefined) errors.push(...validateLabelSelector(selector, path.child(field), {}));
  }
  for (const namespace of term.namespaces ?? []) {
    checkMessages(isDns1123Label(namespace), namespace, path.child('namespace'), errors);
  }
  checkLabelKeys(term, path, errors);
  if ((term.topologyKey ?? '') === '') errors.push(required(path.child('topologyKey'), 'can not be empty'));
  errors.push(...validateLabelName(term.topologyKey ?? '', path.child('topologyKey')));
}

function checkLabelKeys(term: PodAffinityTerm, path: FieldPath, errors: FieldErrors): void {
  for (const field of ['matchLabelKeys', 'mismatchLabelKeys'] as const) {
    const keys = term[field] ?? [];
    if (keys.length === 0) continue;
    const at = path.child(field);
    if (term.labelSelector === undefined) {
      errors.push(forbiddenValue(at, 'must not be specified when labelSelector is not set'));
      continue;
    }
    for (const [index, key] of keys.entries()) errors.push(...validateLabelName(key, at.index(index)));
  }
  const keys = term.matchLabelKeys ?? [];
  // Upstream's path names the term, not the list.
  if (keys.length > 0) checkKeysNotSelected(keys, term.labelSelector, path, errors);
  for (const [index, key] of keys.entries()) {
    if (term.mismatchLabelKeys?.includes(key) !== true) continue;
    const at = path.child('matchLabelKeys').index(index);
    errors.push(invalidValue(at, key, 'exists in both matchLabelKeys and mismatchLabelKeys'));
  }
}
