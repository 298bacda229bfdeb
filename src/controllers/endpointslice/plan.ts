import type { Endpoint, EndpointPort, EndpointSlice, Node, Pod, Service } from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { HEADLESS_LABEL, isHeadless, LAST_CHANGE_TRIGGER_TIME } from '../endpoints/pod-addresses.ts';
import { controllerReference } from '../shared/ownership.ts';
import { type AddressType, addressTypesOf, desiredGroups, type EndpointGroup, groupKey } from './desired.ts';
import { MANAGED_BY_LABEL, SERVICE_NAME_LABEL, type SlicePlan } from '../shared/managed-slices.ts';

export const MANAGER = 'endpointslice-controller.k8s.io';

/** `--max-endpoints-per-slice`. */
const ENDPOINTS_PER_SLICE_MAX = 100;

/** What was observed. */
export interface EndpointSliceInput {
  readonly service: Service;
  /** Pods that the service selects. */
  readonly pods: readonly Pod[];
  /** The slices of this controller for the service, own writes included. */
  readonly slices: readonly EndpointSlice[];
  readonly nodeOf: (name: string) => Node | undefined;
  /** RFC 3339; when what is answered changed. */
  readonly triggerTime: string | undefined;
}

/** A slice while a plan is made. */
interface SliceDraft {
  readonly stored: EndpointSlice | undefined;
  endpoints: Endpoint[];
  ports: readonly EndpointPort[];
}

/**
 * Brings a service's slices to what it should have, with as few writes as possible: endpoints stay in the slice they
 * are in, new ones fill slices that are written anyway, and only what is left over opens another slice.
 */
export function planEndpointSlices(input: EndpointSliceInput): SlicePlan {
  const { service, slices, triggerTime } = input;
  const groups = withPlaceholders(desiredGroups(input), addressTypesOf(service));
  return planSlices({ groups, slices, triggerTime, owner: service, labels: labelsOf(service) });
}

/** Any endpoints to be put into slices. */
export interface SlicesInput {
  readonly groups: readonly EndpointGroup[];
  readonly slices: readonly EndpointSlice[];
  /** Its name begins those of the slices. */
  readonly owner: KubeObject;
  readonly labels: Readonly<Record<string, string>>;
  readonly triggerTime: string | undefined;
}

export function planSlices(input: SlicesInput): SlicePlan {
  const slicesByGroup = new Map<string, EndpointSlice[]>();
  for (const slice of input.slices) {
    const key = groupKey(slice.addressType, slice.ports ?? []);
    slicesByGroup.set(key, [...(slicesByGroup.get(key) ?? []), slice]);
  }
  const surplus = new Set(input.slices);
  const plan: { create: EndpointSlice[]; update: SlicePlan['update'][number][]; delete: EndpointSlice[] } = {
    create: [],
    update: [],
    delete: [],
  };
  for (const group of input.groups) {
    const existing = slicesByGroup.get(groupKey(group.addressType, group.ports)) ?? [];
    for (const draft of distribute(group, existing)) {
      const next = sliceOf(draft, group.addressType, input);
      if (draft.stored === undefined) {
        plan.create.push(next);
      } else {
        surplus.delete(draft.stored);
        if (isChanged(draft.stored, next)) plan.update.push({ stored: draft.stored, next });
      }
    }
  }
  reuseSurplus(plan, surplus);
  plan.delete.push(...surplus);
  return withTriggerTime(plan, input.triggerTime);
}

/** A family without endpoints keeps one empty slice, so that readers see that there are none. */
function withPlaceholders(groups: EndpointGroup[], types: readonly AddressType[]): EndpointGroup[] {
  const missing = types.filter((type) => !groups.some((group) => group.addressType === type));
  return [...groups, ...missing.map((addressType) => ({ addressType, ports: [], endpoints: [] }))];
}

function distribute(group: EndpointGroup, existing: readonly EndpointSlice[]): SliceDraft[] {
  const wanted = new Map(group.endpoints.map((endpoint) => [endpointKey(endpoint), endpoint]));
  const drafts: SliceDraft[] = [];
  for (const slice of existing) {
    const kept: Endpoint[] = [];
    for (const endpoint of slice.endpoints ?? []) {
      const key = endpointKey(endpoint);
      const now = wanted.get(key);
      if (now === undefined || kept.length >= ENDPOINTS_PER_SLICE_MAX) continue;
      wanted.delete(key);
      kept.push(now);
    }
    drafts.push({ stored: slice, endpoints: kept, ports: group.ports });
  }
  place([...wanted.values()], drafts, group.ports);
  const used = drafts.filter((draft) => draft.endpoints.length > 0);
  // With nothing to hold, the first slice stays as the placeholder.
  return used.length > 0 ? used : drafts.slice(0, 1);
}

/** Puts endpoints without a slice into slices: written ones first, fullest first, then all others, then new ones. */
function place(endpoints: Endpoint[], drafts: SliceDraft[], ports: readonly EndpointPort[]): void {
  const room = (draft: SliceDraft) => ENDPOINTS_PER_SLICE_MAX - draft.endpoints.length;
  const isTouched = (draft: SliceDraft) => !deepEqual(draft.stored?.endpoints ?? [], draft.endpoints);
  const open = drafts
    .filter((draft) => room(draft) > 0)
    .toSorted((a, b) => Number(isTouched(b)) - Number(isTouched(a)) || room(a) - room(b));
  let index = 0;
  for (const draft of open) {
    if (index >= endpoints.length) return;
    const count = Math.min(room(draft), endpoints.length - index);
    draft.endpoints = [...draft.endpoints, ...endpoints.slice(index, index + count)];
    index += count;
  }
  while (index < endpoints.length || drafts.length === 0) {
    const part = endpoints.slice(index, index + ENDPOINTS_PER_SLICE_MAX);
    drafts.push({ stored: undefined, endpoints: part, ports });
    index += Math.max(1, part.length);
  }
}

function endpointKey(endpoint: Endpoint): string {
  return `${endpoint.targetRef?.uid ?? ''}|${endpoint.addresses.join(',')}`;
}

/** A slice that would be deleted while another is created is rewritten instead: one write, and no moment without. */
function reuseSurplus(
  plan: { create: EndpointSlice[]; update: SlicePlan['update'][number][] },
  surplus: Set<EndpointSlice>,
): void {
  for (const stored of surplus) {
    const index = plan.create.findIndex((slice) => slice.addressType === stored.addressType);
    const [created] = index < 0 ? [] : plan.create.splice(index, 1);
    if (created === undefined) continue;
    const { generateName: _, ...metadata } = created.metadata;
    plan.update.push({ stored, next: { ...created, metadata: { ...stored.metadata, ...metadata } } });
    surplus.delete(stored);
  }
}

function sliceOf(draft: SliceDraft, addressType: AddressType, { owner, labels: wanted }: SlicesInput): EndpointSlice {
  const { stored } = draft;
  const content = { addressType, endpoints: draft.endpoints, ports: [...draft.ports] };
  const labels = { ...wanted };
  if (stored !== undefined) {
    return { ...stored, ...content, metadata: { ...stored.metadata, labels } };
  }
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace ?? '',
      labels,
      ownerReferences: [controllerReference(owner)],
    },
    ...content,
  };
}

function labelsOf(service: Service): Record<string, string> {
  const { [HEADLESS_LABEL]: _, ...inherited } = service.metadata.labels ?? {};
  return {
    ...inherited,
    [MANAGED_BY_LABEL]: MANAGER,
    [SERVICE_NAME_LABEL]: service.metadata.name ?? '',
    ...(isHeadless(service) ? { [HEADLESS_LABEL]: '' } : {}),
  };
}

function isChanged(stored: EndpointSlice, next: EndpointSlice): boolean {
  return (
    !deepEqual(stored.endpoints ?? [], next.endpoints ?? []) ||
    !deepEqual(stored.ports ?? [], next.ports ?? []) ||
    !deepEqual(stored.metadata.labels, next.metadata.labels)
  );
}

function withTriggerTime(plan: SlicePlan, triggerTime: string | undefined): SlicePlan {
  const mark = (slice: EndpointSlice): EndpointSlice => {
    const { [LAST_CHANGE_TRIGGER_TIME]: _, ...others } = slice.metadata.annotations ?? {};
    const annotations = triggerTime === undefined ? others : { ...others, [LAST_CHANGE_TRIGGER_TIME]: triggerTime };
    const { annotations: __, ...metadata } = slice.metadata;
    return { ...slice, metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations } };
  };
  return {
    create: plan.create.map(mark),
    update: plan.update.map(({ stored, next }) => ({ stored, next: mark(next) })),
    delete: plan.delete,
  };
}
