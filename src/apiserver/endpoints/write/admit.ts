import { StatusError } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../../pipeline/types.ts';
import type { Call } from '../call.ts';
import { queryOptions } from './options.ts';

export interface AdmissionInput {
  readonly operation: AdmissionRequest['operation'];
  readonly object?: KubeObject;
  readonly oldObject?: KubeObject;
  readonly isDryRun: boolean;
  /** The kind in the request, where it is not the resource's own (bindings, evictions, scales). */
  readonly kind?: string;
  /** Default: what the query of a create, update or patch says. */
  readonly options?: () => Readonly<Record<string, unknown>>;
}

export function admissionRequest(
  call: Pick<Call, 'core' | 'context' | 'definition'>,
  { isDryRun, kind, ...input }: AdmissionInput,
): AdmissionRequest {
  const { info, user, warnings, auditAnnotations, request } = call.context;
  return {
    options: () => queryOptions(OPTIONS_KINDS[input.operation], request.query),
    ...input,
    metrics: call.core.metrics.webhooks,
    info,
    user,
    kind: kind ?? call.definition.kind,
    dryRun: isDryRun,
    warnings,
    annotations: auditAnnotations,
  };
}

const OPTIONS_KINDS = {
  CREATE: 'CreateOptions',
  UPDATE: 'UpdateOptions',
  DELETE: 'DeleteOptions',
  CONNECT: 'ConnectOptions',
} as const;

/** Runs the mutating plugins, in order. */
export async function admitMutating(call: Pick<Call, 'core'>, request: AdmissionRequest): Promise<void> {
  await timedStep(call, { type: 'admit', operation: request.operation }, (plugin) => plugin.mutate?.(request));
}

/** Runs the validating plugins, in order. */
export async function admitValidating(call: Pick<Call, 'core'>, request: AdmissionRequest): Promise<void> {
  await timedStep(call, { type: 'validate', operation: request.operation }, (plugin) => plugin.validate?.(request));
}

/**
 * Where other servers write to the same store, what a plugin looks at may be behind: a namespace that was made a moment ago
 * is not there yet. A refusal then counts only if it came of the newest state. Webhooks see no caches.
 */
async function judgedAnew(
  hub: Call['core']['hub'],
  plugin: AdmissionPlugin,
  run: (plugin: AdmissionPlugin) => void | Promise<void>,
): Promise<void> {
  const { revision } = hub;
  try {
    await run(plugin);
  } catch (error) {
    if (!(error instanceof StatusError) || plugin.name.endsWith('Webhook')) throw error;
    await hub.waitForHead();
    if (hub.revision === revision) throw error;
    await run(plugin);
  }
}

function isAsked({ seesEverything }: AdmissionPlugin, type: string, operation: string): boolean {
  if (seesEverything === true || operation === 'CREATE' || operation === 'UPDATE') return true;
  return operation === 'DELETE' && type === 'validate';
}

async function timedStep(
  { core }: Pick<Call, 'core'>,
  { type, operation }: { type: string; operation: string },
  run: (plugin: AdmissionPlugin) => void | Promise<void>,
): Promise<void> {
  const { clock } = core.executor;
  const metrics = core.metrics.admission;
  const passing = metrics.passing(type, operation);
  const startedMs = clock.monotonic();
  let pluginMs = startedMs;
  let rejected = true;
  let running = '';
  try {
    for (const plugin of core.admission) {
      if ((type === 'admit' ? plugin.mutate : plugin.validate) === undefined) continue;
      if (!isAsked(plugin, type, operation)) continue;
      running = plugin.name;
      if (core.hub.isAlwaysFresh) {
        const pending = run(plugin);
        if (pending !== undefined) await pending;
      } else await judgedAnew(core.hub, plugin, run);
      const nowMs = clock.monotonic();
      passing.ran(running, (nowMs - pluginMs) / 1000);
      pluginMs = nowMs;
    }
    rejected = false;
  } finally {
    const nowMs = clock.monotonic();
    if (rejected) metrics.pluginRefused(running, type, operation, (nowMs - pluginMs) / 1000);
    metrics.stepRan(type, operation, { rejected, seconds: (nowMs - startedMs) / 1000 });
  }
}
