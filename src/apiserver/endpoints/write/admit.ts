import type { KubeObject } from '#machinery/meta/types.ts';
import type { AdmissionRequest } from '../../pipeline/types.ts';
import type { Call } from '../call.ts';

export interface AdmissionInput {
  readonly operation: AdmissionRequest['operation'];
  readonly object?: KubeObject;
  readonly oldObject?: KubeObject;
  readonly isDryRun: boolean;
  /** The kind in the request, where it is not the resource's own (bindings, evictions, scales). */
  readonly kind?: string;
}

export function admissionRequest(call: Call, { isDryRun, kind, ...input }: AdmissionInput): AdmissionRequest {
  const { info, user, warnings } = call.context;
  return { ...input, info, user, kind: kind ?? call.definition.kind, dryRun: isDryRun, warnings };
}

/** Runs the mutating plugins, in order. */
export async function admitMutating(call: Call, request: AdmissionRequest): Promise<void> {
  for (const plugin of call.core.admission) {
    const pending = plugin.mutate?.(request);
    if (pending !== undefined) await pending;
  }
}

/** Runs the validating plugins, in order. */
export async function admitValidating(call: Call, request: AdmissionRequest): Promise<void> {
  for (const plugin of call.core.admission) {
    const pending = plugin.validate?.(request);
    if (pending !== undefined) await pending;
  }
}
