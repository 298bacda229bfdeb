import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, forbiddenValue, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type {
  Container,
  NodeAffinity,
  NodeSelectorTerm,
  Pod,
  PodSpec,
  Toleration,
} from '../../../../generated/types.ts';
import { type FieldErrors, INT32_MAX } from '../../../../validation/basics.ts';
import { checkAnnotationChanges } from './annotations.ts';
import { specDifference } from './difference.ts';
import { validatePod } from './pod-spec.ts';
import { checkTolerations } from './tolerations.ts';

const updatableFields = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
];

const specPath = new FieldPath('spec');
const annotationsPath = new FieldPath('metadata').child('annotations');

/** What a main update of a pod may change: little more than images and tolerations. */
export function validatePodUpdate(next: Pod, current: Pod): FieldError[] {
  const errors = validatePod(next, current);
  checkAnnotationChanges(next.metadata.annotations, current.metadata.annotations, annotationsPath, errors);
  const nextSpec = next.spec;
  const currentSpec = current.spec;
  if (!checkSameContainers(nextSpec.containers, currentSpec.containers, specPath.child('containers'), errors)) {
    return errors;
  }
  const initPath = specPath.child('initContainers');
  if (!checkSameContainers(nextSpec.initContainers ?? [], currentSpec.initContainers ?? [], initPath, errors)) {
    return errors;
  }
  if (!checkDeadline(nextSpec, currentSpec, errors)) return errors;
  checkAddedTolerations(nextSpec.tolerations ?? [], currentSpec.tolerations ?? [], errors);
  checkDeletedGates(nextSpec, currentSpec, errors);
  if (deepEqual(nextSpec, currentSpec)) return errors;
  const munged = munge(nextSpec, currentSpec, errors);
  if (!deepEqual(munged, currentSpec)) {
    const difference = specDifference(currentSpec, munged);
    const detail = `pod updates may not change fields other than ${updatableFields.join(',')}\n${difference}`;
    errors.push(forbiddenValue(specPath, detail));
  }
  return errors;
}

/** Gives false where comparing further makes no sense. */
function checkSameContainers(
  next: readonly Container[],
  current: readonly Container[],
  path: FieldPath,
  errors: FieldErrors,
): boolean {
  if (next.length !== current.length) {
    errors.push(forbiddenValue(path, 'pod updates may not add or remove containers'));
    return false;
  }
  for (const [index, { image = '' }] of next.entries()) {
    const at = path.index(index).child('image');
    if (image === '') errors.push(required(at, ''));
    else if (image.trim() !== image) {
      errors.push(invalidValue(at, image, 'must not have leading or trailing whitespace'));
    }
  }
  return true;
}

function checkDeadline(next: PodSpec, current: PodSpec, errors: FieldErrors): boolean {
  const path = specPath.child('activeDeadlineSeconds');
  const seconds = next.activeDeadlineSeconds;
  if (seconds === undefined) {
    if (current.activeDeadlineSeconds === undefined) return true;
    errors.push(invalidValue(path, undefined, 'must not update from a positive integer to nil value'));
    return true;
  }
  if (seconds < 0 || seconds > INT32_MAX) {
    errors.push(invalidValue(path, seconds, `must be between 0 and ${INT32_MAX}, inclusive`));
    return false;
  }
  if (current.activeDeadlineSeconds !== undefined && current.activeDeadlineSeconds < seconds) {
    errors.push(invalidValue(path, seconds, 'must be less than or equal to previous value'));
    return false;
  }
  return true;
}

function checkAddedTolerations(next: readonly Toleration[], current: readonly Toleration[], errors: FieldErrors): void {
  for (const toleration of current) {
    const { tolerationSeconds: _current, ...rest } = toleration;
    const kept = next.some(({ tolerationSeconds: _next, ...candidate }) => deepEqual(candidate, rest));
    if (kept) continue;
    const detail = 'existing toleration can not be modified except its tolerationSeconds';
    errors.push(forbiddenValue(specPath.child('tolerations'), detail));
    return;
  }
  checkTolerations(next, specPath.child('tolerations'), errors);
}

function checkDeletedGates(next: PodSpec, current: PodSpec, errors: FieldErrors): void {
  const known = new Set((current.schedulingGates ?? []).map((gate) => gate.name));
  for (const [index, gate] of (next.schedulingGates ?? []).entries()) {
    if (known.has(gate.name)) continue;
    const detail = `only deletion is allowed, but found new scheduling gate '${gate.name}'`;
    errors.push(forbiddenValue(specPath.child('schedulingGates').index(index).child('name'), detail));
  }
}

/** The new spec with everything that may change put back, so that the rest can be compared. */
function munge(next: PodSpec, current: PodSpec, errors: FieldErrors): PodSpec {
  const munged: Record<string, unknown> = { ...next };
  munged['containers'] = withImages(next.containers, current.containers);
  if (next.initContainers !== undefined) {
    munged['initContainers'] = withImages(next.initContainers, current.initContainers ?? []);
  }
  const changeable = ['activeDeadlineSeconds', 'tolerations', 'schedulingGates'];
  const grace = next.terminationGracePeriodSeconds;
  const currentGrace = current.terminationGracePeriodSeconds ?? 0;
  if (currentGrace < 0 && grace === 1) changeable.push('terminationGracePeriodSeconds');
  const from = current as unknown as Record<string, unknown>; // Safe: a read-only view of a JSON object by name.
  for (const field of changeable) {
    if (from[field] === undefined) delete munged[field];
    else munged[field] = from[field];
  }
  const spec = munged as unknown as PodSpec; // Safe: it has the fields of the two specs.
  return (current.schedulingGates ?? []).length === 0 ? spec : withPlacement(spec, current, errors);
}

/** A gated pod's placement may still be narrowed (KEP-3838): what was narrowed is put back. */
function withPlacement(next: PodSpec, current: PodSpec, errors: FieldErrors): PodSpec {
  const { nodeSelector: _selector, affinity, ...rest } = next;
  const selector = next.nodeSelector ?? {};
  const isNarrowed = Object.entries(current.nodeSelector ?? {}).every(([key, value]) => selector[key] === value);
  if (!isNarrowed) {
    const detail = 'only additions to spec.nodeSelector are allowed (no mutations or deletions)';
    errors.push(invalidValue(specPath.child('nodeSelector'), selector, detail));
  }
  checkNarrowedAffinity(affinity?.nodeAffinity, current.affinity?.nodeAffinity, errors);
  const { nodeAffinity: _affinity, ...podAffinity } = affinity ?? {};
  const nodeAffinity = current.affinity?.nodeAffinity;
  const merged = { ...podAffinity, ...(nodeAffinity === undefined ? {} : { nodeAffinity }) };
  const hadOrHas = Object.keys(merged).length > 0 || current.affinity !== undefined;
  return {
    ...rest,
    ...(current.nodeSelector === undefined ? {} : { nodeSelector: current.nodeSelector }),
    ...(hadOrHas ? { affinity: merged } : {}),
  };
}

function checkNarrowedAffinity(
  next: NodeAffinity | undefined,
  current: NodeAffinity | undefined,
  errors: FieldErrors,
): void {
  const field = 'requiredDuringSchedulingIgnoredDuringExecution';
  const before = current?.[field]?.nodeSelectorTerms ?? [];
  if (before.length === 0 || deepEqual(next, current)) return;
  const terms = next?.[field]?.nodeSelectorTerms ?? [];
  const path = specPath.child('affinity', 'nodeAffinity', field, 'nodeSelectorTerms');
  if (terms.length !== before.length) {
    const detail = 'no additions/deletions to non-empty NodeSelectorTerms list are allowed';
    errors.push(invalidValue(path, terms, detail));
    return;
  }
  for (const [index, term] of terms.entries()) {
    if (onlyAdds(term, before[index] ?? {})) continue;
    errors.push(invalidValue(path.index(index), term, 'only additions are allowed (no mutations or deletions)'));
  }
}

function onlyAdds(next: NodeSelectorTerm, current: NodeSelectorTerm): boolean {
  const lists = ['matchExpressions', 'matchFields'] as const;
  const count = (term: NodeSelectorTerm): number => lists.reduce((sum, list) => sum + (term[list]?.length ?? 0), 0);
  // A term without requirements matches nothing: to add one would widen it.
  if (count(current) === 0) return count(next) === 0;
  return lists.every((list) => {
    const before = current[list] ?? [];
    return deepEqual((next[list] ?? []).slice(0, before.length), before);
  });
}

function withImages(next: readonly Container[], current: readonly Container[]): Container[] {
  return next.map((container, index) => {
    const image = current[index]?.image;
    const { image: _image, ...rest } = container;
    return image === undefined ? rest : { ...rest, image };
  });
}
