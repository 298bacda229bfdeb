import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Label } from '#machinery/validation/names.ts';
import { checkClaimSpec } from '../../../core/v1/volumes/claim-spec.ts';
import type { PodTemplateSpec, StatefulSet, StatefulSetSpec } from '../../../generated/types.ts';
import { checkMessages, checkNotNegative, type FieldErrors } from '../../../validation/basics.ts';
import { checkAtMostWhole, checkIntOrPercent, isZero } from '../../../validation/int-or-percent.ts';
import { checkCollisions, checkReplicaCounts, checkSelectorAndTemplate } from '../pod-template.ts';

const specPath = new FieldPath('spec');
const strategyPath = specPath.child('updateStrategy');

const changeable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

export function validateStatefulSet(set: StatefulSet, current?: StatefulSet): FieldError[] {
  const errors: FieldErrors = [];
  const { spec } = set;
  checkManagement(spec.podManagementPolicy, errors);
  checkStrategy(spec, errors);
  checkRetention(spec, errors);
  checkNotNegative(spec.replicas, specPath.child('replicas'), errors);
  checkNotNegative(spec.minReadySeconds, specPath.child('minReadySeconds'), errors);
  checkNotNegative(spec.ordinals?.start, specPath.child('ordinals.start'), errors);
  checkSelectorAndTemplate(
    {
      selector: spec.selector,
      template: withClaims(spec),
      path: specPath,
      kindText: 'statefulset',
      deadlineText: 'StatefulSet',
    },
    errors,
  );
  if (current !== undefined) return errors;
  // What was never checked before binds only new sets.
  if ((spec.serviceName ?? '') !== '') {
    checkMessages(isDns1123Label(spec.serviceName ?? ''), spec.serviceName, specPath.child('serviceName'), errors);
  }
  for (const [index, claim] of (spec.volumeClaimTemplates ?? []).entries()) {
    checkClaimSpec(claim.spec ?? {}, specPath.child('volumeClaimTemplates').index(index).child('spec'), errors);
  }
  return errors;
}

/** The template with the volumes that its pods will have: a claim takes the place of a volume of its name. */
function withClaims({ template, volumeClaimTemplates }: StatefulSetSpec): PodTemplateSpec {
  if (volumeClaimTemplates === undefined || volumeClaimTemplates.length === 0) return template;
  const names = new Set(volumeClaimTemplates.map(({ metadata }) => metadata?.name ?? ''));
  const own = (template.spec?.volumes ?? []).filter(({ name }) => !names.has(name));
  const claimed = [...names].map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  const podSpec = template.spec ?? { containers: [] };
  return { ...template, spec: { ...podSpec, volumes: [...own, ...claimed] } };
}

function checkManagement(policy: string | undefined, errors: FieldErrors): void {
  const path = specPath.child('podManagementPolicy');
  if (policy === undefined || policy === '') errors.push(required(path, ''));
  else if (policy !== 'OrderedReady' && policy !== 'Parallel') {
    errors.push(invalidValue(path, policy, "must be 'OrderedReady' or 'Parallel'"));
  }
}

function checkStrategy({ updateStrategy = {} }: StatefulSetSpec, errors: FieldErrors): void {
  const { type = '', rollingUpdate: rolling } = updateStrategy;
  const path = strategyPath.child('rollingUpdate');
  // Upstream prints its internal forms.
  const internal =
    rolling === undefined
      ? null
      : { Partition: rolling.partition ?? 0, MaxUnavailable: rolling.maxUnavailable ?? null };
  switch (type) {
    case '':
      errors.push(required(strategyPath, ''));
      return;
    case 'OnDelete':
      if (rolling === undefined) return;
      errors.push(invalidValue(path, internal, "only allowed for updateStrategy 'RollingUpdate'"));
      return;
    case 'RollingUpdate': {
      checkNotNegative(rolling?.partition, path.child('partition'), errors);
      const most = rolling?.maxUnavailable;
      if (most === undefined) return;
      const at = path.child('maxUnavailable');
      checkIntOrPercent(most, at, errors);
      if (isZero(most)) errors.push(invalidValue(at, most, 'cannot be 0'));
      checkAtMostWhole(most, at, errors);
      return;
    }
    default: {
      const value = { Type: type, RollingUpdate: internal };
      errors.push(invalidValue(strategyPath, value, "must be 'RollingUpdate' or 'OnDelete'"));
    }
  }
}

function checkRetention({ persistentVolumeClaimRetentionPolicy: policy }: StatefulSetSpec, errors: FieldErrors): void {
  if (policy === undefined) return;
  const path = specPath.child('persistentVolumeClaimRetentionPolicy');
  const known = ['Retain', 'Delete'];
  for (const field of ['whenDeleted', 'whenScaled'] as const) {
    const value = policy[field] ?? '';
    if (!known.includes(value)) errors.push(notSupported(path.child(field), value, known));
  }
}

export function validateStatefulSetUpdate(next: StatefulSet, current: StatefulSet): FieldError[] {
  const errors = validateStatefulSet(next, current);
  const rest = (spec: StatefulSetSpec): object => {
    const copy: Record<string, unknown> = { ...spec };
    for (const field of changeable) delete copy[field];
    return copy;
  };
  if (!deepEqual(rest(next.spec), rest(current.spec))) {
    const last = changeable.at(-1) ?? '';
    const list = changeable
      .slice(0, -1)
      .map((field) => `'${field}'`)
      .join(', ');
    const detail = `updates to statefulset spec for fields other than ${list} and '${last}' are forbidden`;
    errors.push(forbiddenValue(specPath, detail));
  }
  return errors;
}

const counts = {
  all: [
    'replicas',
    'readyReplicas',
    'currentReplicas',
    'updatedReplicas',
    'availableReplicas',
    'observedGeneration',
    'collisionCount',
  ],
  parts: ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'],
} as const;

export function validateStatefulSetStatus(next: StatefulSet, current: StatefulSet): FieldError[] {
  const errors: FieldErrors = [];
  const { status } = next;
  checkReplicaCounts({ ...status }, counts, errors);
  if ((status?.availableReplicas ?? 0) > (status?.readyReplicas ?? 0)) {
    const path = new FieldPath('status').child('availableReplicas');
    errors.push(invalidValue(path, status?.availableReplicas, 'cannot be greater than status.readyReplicas'));
  }
  checkCollisions(status?.collisionCount, current.status?.collisionCount, errors);
  return errors;
}
