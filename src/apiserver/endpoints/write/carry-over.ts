import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { FieldError } from '#machinery/field/field-error.ts';
import { deepCopy, deepEqual } from '#machinery/codec/deep.ts';
import { type Fields, fieldsOf, type KubeObject } from '#machinery/meta/types.ts';

/** How a write through one subresource (or the resource itself) treats what it may not change. */
export interface WriteMode {
  /** Empty for the resource itself. */
  readonly subresource: string;
  /** Whose rules hold besides those of metadata: the kind's for its objects, for its status, or just the mode's own. */
  readonly rules: 'object' | 'status' | 'own';
  /** Whether a changed spec raises the generation. Only kinds that have one. */
  readonly raisesGeneration: boolean;
  /** Resets in `next` what this way of writing may not change, before managedFields are computed. */
  readonly reset: (next: KubeObject, live: KubeObject) => void;
  /** Checks where the rules are the mode's own. */
  readonly validate?: (next: KubeObject, live: KubeObject) => FieldError[];
}

export function hasStatus(definition: ResourceDefinition): boolean {
  return definition.subresources.some(({ name }) => name === 'status');
}

/** A write of the resource itself leaves the status alone, where the status has a subresource of its own. */
export function mainMode(definition: ResourceDefinition): WriteMode {
  const reset: WriteMode['reset'] = hasStatus(definition) ? (next, live) => copyField(next, live, 'status') : () => {};
  return { subresource: '', rules: 'object', raisesGeneration: true, reset };
}

/** A write through `/status` changes the status and the user's part of metadata, nothing else. */
export const STATUS_MODE: WriteMode = {
  subresource: 'status',
  rules: 'status',
  raisesGeneration: false,
  reset: (next, live) => keepAllBut(next, live, ['status']),
};

/** Takes every field of `live` but metadata and the named ones. */
export function keepAllBut(next: KubeObject, live: KubeObject, changeable: readonly string[]): void {
  const nextFields = fieldsOf(next);
  const isKept = (name: string) => name !== 'metadata' && !changeable.includes(name);
  for (const name of Object.keys(nextFields)) if (isKept(name)) delete nextFields[name];
  for (const [name, value] of Object.entries(fieldsOf(live))) {
    if (isKept(name)) nextFields[name] = deepCopy(value);
  }
}

/** Whether anything outside metadata and status differs: what raises the generation. */
export function isSpecEqual(
  next: KubeObject,
  live: KubeObject,
  { withStatus }: { withStatus: boolean } = { withStatus: false },
): boolean {
  if (withStatus && !deepEqual(fieldsOf(next)['status'], fieldsOf(live)['status'])) return false;
  return deepEqual(specOf(next), specOf(live));
}

/** Fills in and protects the metadata that only the server sets. */
export function carryMetadata(next: KubeObject, live: KubeObject): void {
  const { metadata } = next;
  const before = live.metadata;
  metadata.uid ??= before.uid ?? '';
  metadata.creationTimestamp ??= before.creationTimestamp ?? '';
  metadata.name ??= before.name ?? '';
  if (before.deletionTimestamp === undefined) {
    delete metadata.deletionTimestamp;
    delete metadata.deletionGracePeriodSeconds;
  } else {
    metadata.deletionTimestamp = before.deletionTimestamp;
    if (before.deletionGracePeriodSeconds !== undefined) {
      metadata.deletionGracePeriodSeconds ??= before.deletionGracePeriodSeconds;
    }
  }
  if (before.generation === undefined) delete metadata.generation;
  else metadata.generation = before.generation;
  delete metadata.selfLink;
}

function copyField(next: KubeObject, live: KubeObject, name: string): void {
  const value = fieldsOf(live)[name];
  if (value === undefined) delete fieldsOf(next)[name];
  else fieldsOf(next)[name] = deepCopy(value);
}

function specOf(object: KubeObject): Fields {
  const { metadata: _metadata, status: _status, ...rest } = fieldsOf(object);
  return rest;
}
