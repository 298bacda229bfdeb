import type { KubeObject } from '#machinery/meta/types.ts';

/** An explicit empty list of managedFields resets them, as a single empty entry does; decoding would drop it. */
export function keepReset(object: KubeObject, given: unknown): void {
  if (typeof given !== 'object' || given === null || !('metadata' in given)) return;
  const { metadata } = given;
  if (typeof metadata !== 'object' || metadata === null || !('managedFields' in metadata)) return;
  const { managedFields } = metadata;
  if (Array.isArray(managedFields) && managedFields.length === 0) object.metadata.managedFields = [{}];
}
