import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionStatus,
} from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { isConditionTrue, type Verdict, withCondition } from '#api/apiextensions/v1/conditions.ts';
import { apiApproval, isProtectedGroup } from '#api/apiextensions/v1/api-approval.ts';

type Conditions = readonly CustomResourceDefinitionCondition[];

/** Names that other definitions of the group hold. */
export interface UsedNames {
  readonly resources: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
}

/** The status of a definition from its spec and from what the others of its group are called. */
export function planStatus(
  crd: CustomResourceDefinition,
  { used, nowMs }: { used: UsedNames; nowMs: number },
): CustomResourceDefinitionStatus {
  const before = crd.status ?? {};
  const accepted = before.acceptedNames ?? { kind: '', plural: '' };
  let conditions: Conditions = before.conditions ?? [];
  const { names, conflict } = acceptNames(crd.spec.names, accepted, used);
  const verdict: Verdict = conflict ?? {
    type: 'NamesAccepted',
    status: 'True',
    reason: 'NoConflicts',
    message: 'no conflicts found',
  };
  conditions = withCondition(conditions, verdict, nowMs);
  if (!isConditionTrue(conditions, 'Established')) {
    const isAccepted = conflict === undefined;
    const established: Verdict = {
      type: 'Established',
      status: isAccepted ? 'True' : 'False',
      reason: isAccepted ? 'InitialNamesAccepted' : 'NotAccepted',
      message: isAccepted ? 'the initial names have been accepted' : 'not all names are accepted',
    };
    conditions = withCondition(conditions, established, nowMs);
  }
  const approval = approvalOf(crd);
  if (approval !== undefined) conditions = withCondition(conditions, approval, nowMs);
  const status = { ...before, acceptedNames: names, conditions: [...conditions] };
  return deepEqual(status, before) ? before : status;
}

function acceptNames(
  requested: CustomResourceDefinitionNames,
  accepted: CustomResourceDefinitionNames,
  used: UsedNames,
): { names: CustomResourceDefinitionNames; conflict: Verdict | undefined } {
  const names: CustomResourceDefinitionNames = { ...accepted };
  let conflict: Verdict | undefined;
  const refuse = (reason: string, message: string): void => {
    conflict = { type: 'NamesAccepted', status: 'False', reason, message };
  };
  const checks = [
    ['plural', 'PluralConflict', used.resources],
    ['singular', 'SingularConflict', used.resources],
    ['kind', 'KindConflict', used.kinds],
    ['listKind', 'ListKindConflict', used.kinds],
  ] as const;
  for (const [field, reason, taken] of checks) {
    if (field === 'kind') acceptShortNames(requested, { accepted, used, names, refuse });
    const name = requested[field] ?? '';
    if (name !== accepted[field] && taken.has(name)) refuse(reason, `${JSON.stringify(name)} is already in use`);
    else if (name !== '') names[field] = name;
  }
  if (requested.categories === undefined) delete names.categories;
  else names.categories = requested.categories;
  return { names, conflict };
}

function acceptShortNames(
  requested: CustomResourceDefinitionNames,
  {
    accepted,
    used,
    names,
    refuse,
  }: {
    accepted: CustomResourceDefinitionNames;
    used: UsedNames;
    names: CustomResourceDefinitionNames;
    refuse: (reason: string, message: string) => void;
  },
): void {
  const wanted = requested.shortNames ?? [];
  const known = new Set(accepted.shortNames);
  const taken = wanted.filter((name) => !known.has(name) && used.resources.has(name));
  const messages = taken.map((name) => `${JSON.stringify(name)} is already in use`);
  if (messages.length > 0)
    refuse('ShortNamesConflict', messages.length === 1 ? (messages[0] ?? '') : `[${messages.join(', ')}]`);
  else if (wanted.length === 0) delete names.shortNames;
  else names.shortNames = wanted;
}

function approvalOf({ spec, metadata }: CustomResourceDefinition): Verdict | undefined {
  if (!isProtectedGroup(spec.group)) return undefined;
  const { state, reason } = apiApproval(metadata.annotations);
  const reasons = {
    invalid: 'InvalidAnnotation',
    missing: 'MissingAnnotation',
    approved: 'ApprovedAnnotation',
    bypassed: 'UnapprovedAnnotation',
  } as const;
  return {
    type: 'KubernetesAPIApprovalPolicyConformant',
    status: state === 'approved' ? 'True' : 'False',
    reason: reasons[state],
    message: reason,
  };
}
