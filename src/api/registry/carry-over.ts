import { deepCopy } from '#machinery/codec/deep.ts';
import { type KubeObject, fieldsOf } from '#machinery/meta/types.ts';

/** Makes `next` hold exactly what `current` holds in a top-level field, absence included. */
export function carryOver(next: KubeObject, current: KubeObject, field: string): void {
  const from = fieldsOf(current);
  const to = fieldsOf(next);
  // The current object may be frozen and shared; a copy keeps `next` free to be changed.
  if (from[field] === undefined) delete to[field];
  else to[field] = deepCopy(from[field]);
}

/** A client may not set a status when it creates: it starts empty. */
export function emptyStatus(next: KubeObject): void {
  fieldsOf(next)['status'] = {};
}

/** The rules of most kinds with a status: a main update keeps it, a status update keeps the spec. */
export const statusRules = {
  prepareForCreate: emptyStatus,
  prepareForUpdate: (next: KubeObject, current: KubeObject) => {
    carryOver(next, current, 'status');
  },
  prepareForStatusUpdate: (next: KubeObject, current: KubeObject) => {
    carryOver(next, current, 'spec');
  },
} as const;

/** The stricter status update of newer kinds: nothing of the metadata may change, either. */
export function keepMetadata(next: KubeObject, current: KubeObject): void {
  const kept = ['labels', 'annotations', 'finalizers', 'ownerReferences', 'deletionTimestamp', 'generation'] as const;
  for (const name of kept) {
    const value = current.metadata[name];
    if (value === undefined) delete next.metadata[name];
    else Object.assign(next.metadata, { [name]: deepCopy(value) });
  }
}
