import { deepEqual } from '#machinery/codec/deep.ts';
import { trackUpdate } from '#machinery/managed-fields/update.ts';
import type { VersionConverter } from '#machinery/managed-fields/versions.ts';
import { apiVersionOf, type KubeObject, type ManagedFieldsEntry } from '#machinery/meta/types.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { Call } from '../call.ts';
import { hasStatus } from './carry-over.ts';

const STATUS: readonly string[] = ['status'];
const NOTHING: readonly string[] = [];
/** A write through a subresource changes metadata and what the subresource is about. */
const ALL_BUT_STATUS: readonly string[] = ['*'];
/** Kinds whose status rules take back more of metadata than others'. */
const STATUS_WRITE: Readonly<Record<string, readonly string[]>> = {
  'apps/deployments': ['*', 'metadata.labels'],
  '/pods': ['*', 'metadata.deletionTimestamp', 'metadata.ownerReferences'],
};

/** Fields that a write through this subresource (empty: the object itself) takes back, and so never owns. */
export function unownedFields(definition: ResourceDefinition, subresource: string): readonly string[] {
  if (subresource === 'status') return STATUS_WRITE[`${definition.group}/${definition.resource}`] ?? ALL_BUT_STATUS;
  if (subresource === 'approval') return NOTHING;
  return hasStatus(definition) ? STATUS : NOTHING;
}

export interface TrackedWrite {
  readonly live: KubeObject | undefined;
  readonly next: KubeObject;
  readonly manager: string;
  readonly subresource: string;
}

/** The managedFields after a write that is no apply. */
export function trackWrite(call: Call, write: TrackedWrite): ManagedFieldsEntry[] {
  const { definition, storage, core } = call;
  return trackUpdate({
    ...write,
    timeMs: core.executor.clock.now(),
    schemas: storage.schemas,
    schemaName: definition.schemaName,
    unowned: unownedFields(definition, write.subresource),
    convert: converterOf(call),
  });
}

/** Turns objects of the request's version into the other versions in which the same objects are served. */
export function converterOf({ core, definition }: Call): VersionConverter | undefined {
  const { storagePrefix, custom } = definition;
  return (object, apiVersion) => {
    const [group = '', version = group] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
    const other = core.registry.byKind(group, version, definition.kind);
    if (other === undefined || other.storagePrefix !== storagePrefix) return undefined;
    // Versions of a custom resource are converted by webhooks, if at all: their fields are taken to be the same.
    if (custom !== undefined) return { object, schemaName: definition.schemaName };
    const stored = definition.storedAs === undefined ? object : definition.storedAs.toStored(object);
    const served = other.storedAs === undefined ? stored : other.storedAs.fromStored(stored);
    return { object: { ...served, apiVersion: apiVersionOf(other) }, schemaName: other.schemaName };
  };
}

/**
 * A write that changes nothing but the times of managedFields changes nothing: the object keeps its times, and so its
 * resourceVersion.
 */
export function keepTimesOfNoop(next: KubeObject, live: KubeObject): void {
  const after = next.metadata.managedFields;
  const before = live.metadata.managedFields;
  if (after === before || after === undefined || before === undefined || after.length !== before.length) return;
  if (!after.every((entry, index) => isSameButTime(entry, before[index]))) return;
  const { managedFields: _after, ...nextMetadata } = next.metadata;
  const { managedFields: _before, ...liveMetadata } = live.metadata;
  const isNoop = deepEqual({ ...next, metadata: nextMetadata }, { ...live, metadata: liveMetadata });
  if (isNoop) next.metadata.managedFields = before;
}

function isSameButTime(a: ManagedFieldsEntry, b: ManagedFieldsEntry | undefined): boolean {
  if (b === undefined) return false;
  if (a === b) return true;
  const { time: _a, ...left } = a;
  const { time: _b, ...right } = b;
  return deepEqual(left, right);
}
