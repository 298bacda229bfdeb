import { badRequest, internalError, notFound, StatusError, tooManyRequests } from '#machinery/errors/status-error.ts';
import { type Fields, fieldsOf, type KubeObject, type LabelSelector } from '#machinery/meta/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import type { ApiResponse } from '../../pipeline/types.ts';
import { type Call, targetOf } from '../call.ts';
import { deleteObject } from '../delete.ts';
import { respondValue } from '../representation/respond.ts';
import { servedObject } from '../representation/serve.ts';
import { admissionRequest, admitMutating, admitValidating } from '../write/admit.ts';
import { readBody } from '../write/body.ts';
import { deletionOptionsOf } from '../write/deletion.ts';
import { dryRunOf } from '../write/options.ts';
import { SUCCESS } from './binding.ts';
import { objectAt } from './modes.ts';

/** A budget remembers this many disrupted pods at most, as upstream. */
const DISRUPTED_PODS_MAX = 2000;
const BLOCKED = "Cannot evict pod as it would violate the pod's disruption budget.";
/** Lost races for a budget before the client is told to come again. */
const BUDGET_TRIES = 10;

/** POST `pods/NAME/eviction`: deletes a pod if its disruption budget allows it. */
export async function eviction(call: Call): Promise<ApiResponse> {
  const { info, request } = call.context;
  const { value } = await readBody(call.context, 'Eviction');
  if (typeof value !== 'object' || value === null) throw badRequest('cannot decode Eviction: it must be an object');
  // Safe: fields are checked below before they are used.
  const given = value as Fields & Partial<KubeObject>;
  const metadata = given.metadata ?? {};
  if (metadata.name !== undefined && metadata.name !== '' && metadata.name !== info.name) {
    throw badRequest('name in URL does not match name in Eviction object');
  }
  const isDryRun = dryRunOf(request.query.getAll('dryRun'), []);
  const body: KubeObject = { ...given, kind: 'Eviction', apiVersion: 'policy/v1', metadata };
  const admission = admissionRequest(call, { operation: 'CREATE', object: body, kind: 'Eviction', isDryRun });
  await admitMutating(call, admission);
  await admitValidating(call, admission);
  const deleteOptions = objectAt(body, 'deleteOptions');
  const parsed = deletionOptionsOf(deleteOptions, request.query);
  await evict(call, { ...parsed, isDryRun: parsed.isDryRun || isDryRun });
  return respondValue(call, SUCCESS, 201);
}

async function evict(call: Call, options: ReturnType<typeof deletionOptionsOf>): Promise<void> {
  const { name, namespace } = call.context.info;
  if (!call.core.hub.isAlwaysFresh) await call.core.hub.waitForHead();
  const entry = call.storage.get(name, namespace);
  if (entry === undefined) throw notFound(targetOf(call));
  const pod = entry.object;
  if (!canIgnoreBudget(pod)) {
    const budgets = await budgetsOf(call, pod);
    if (budgets.length > 1) {
      throw internalError(
        new Error('This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'),
      );
    }
    const [budget] = budgets;
    if (budget !== undefined && !isUnhealthyAndEvictable(pod, budget)) {
      await takeFromBudget(call, { pod, budgetName: budget.metadata.name ?? '', isDryRun: options.isDryRun });
    }
  }
  await deleteObject(call, { name, namespace, options: { ...options, uid: options.uid ?? pod.metadata.uid } });
}

/** Pods that are over, not started, or on their way out disrupt nothing. */
function canIgnoreBudget(pod: KubeObject): boolean {
  const { phase } = objectAt(pod, 'status');
  return (
    phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending' || pod.metadata.deletionTimestamp !== undefined
  );
}

function isReady(pod: KubeObject): boolean {
  const { conditions } = objectAt(pod, 'status');
  return (
    Array.isArray(conditions) &&
    conditions.some((condition: Fields) => condition['type'] === 'Ready' && condition['status'] === 'True')
  );
}

function isUnhealthyAndEvictable(pod: KubeObject, budget: KubeObject): boolean {
  if (isReady(pod)) return false;
  if (objectAt(budget, 'spec')['unhealthyPodEvictionPolicy'] === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = objectAt(budget, 'status');
  return Number(currentHealthy) >= Number(desiredHealthy) && Number(desiredHealthy) > 0;
}

async function budgetCall(call: Call): Promise<Call | undefined> {
  const definition = call.core.registry.byResource('policy', 'v1', 'poddisruptionbudgets');
  if (definition === undefined) return undefined;
  return { ...call, definition, storage: await call.core.storageOf(definition), subresource: undefined };
}

async function budgetsOf(call: Call, pod: KubeObject): Promise<KubeObject[]> {
  const budgets = await budgetCall(call);
  if (budgets === undefined) return [];
  const { cache } = budgets.storage;
  const matching: KubeObject[] = [];
  for (const entry of cache.tree.values()) {
    const budget = entry.object;
    if (budget.metadata.namespace !== pod.metadata.namespace) continue;
    const { selector } = objectAt(budget, 'spec');
    if (selector === undefined) continue;
    // Safe: the budget passed its schema, where this is a label selector.
    if (compileLabelSelector(selector as LabelSelector).matches(pod.metadata.labels)) matching.push(budget);
  }
  return matching;
}

/** Takes one allowed disruption from the budget; 429 where there is none. */
async function takeFromBudget(
  call: Call,
  { pod, budgetName, isDryRun }: { pod: KubeObject; budgetName: string; isDryRun: boolean },
): Promise<void> {
  const budgets = await budgetCall(call);
  if (budgets === undefined) return;
  for (let attempt = 1; attempt <= BUDGET_TRIES; attempt++) {
    const entry = budgets.storage.get(budgetName, pod.metadata.namespace ?? '');
    if (entry === undefined) return;
    const budget = servedObject(budgets.definition, entry);
    checkBudget(budget, budgetName);
    if (isDryRun) return;
    const status = objectAt(budget, 'status');
    const disrupted = objectAt({ ...budget, ...status }, 'disruptedPods');
    const now = formatTime(call.core.executor.clock.now());
    fieldsOf(budget)['status'] = {
      ...status,
      disruptionsAllowed: Number(status['disruptionsAllowed']) - 1,
      disruptedPods: { ...disrupted, [pod.metadata.name ?? '']: now },
    };
    const written = await budgets.storage.put(entry.key, await budgets.storage.encode(budget), entry.revision);
    if (written.type === 'committed') return;
  }
  throw tooManyRequests(BLOCKED, 10);
}

function checkBudget(budget: KubeObject, name: string): void {
  const status = objectAt(budget, 'status');
  if (Number(status['observedGeneration'] ?? 0) < (budget.metadata.generation ?? 0)) {
    throw blocked(`The disruption budget ${name} is still being processed by the server.`, 10);
  }
  const allowed = Number(status['disruptionsAllowed'] ?? 0);
  const disrupted = objectAt({ ...budget, ...status }, 'disruptedPods');
  if (Object.keys(disrupted).length > DISRUPTED_PODS_MAX) {
    throw new StatusError({
      ...tooManyRequests('', 0).status,
      code: 403,
      reason: 'Forbidden',
      message: 'DisruptedPods map too big - too many evictions not confirmed by PDB controller',
    });
  }
  if (allowed > 0) return;
  throw blocked(
    `The disruption budget ${name} needs ${Number(status['desiredHealthy'] ?? 0)} healthy pods and has ` +
      `${Number(status['currentHealthy'] ?? 0)} currently`,
    0,
  );
}

function blocked(message: string, retryAfterSeconds: number): StatusError {
  const { status } = tooManyRequests(BLOCKED, retryAfterSeconds);
  const { retryAfterSeconds: _, ...details } = status.details ?? {};
  return new StatusError({
    ...status,
    details: {
      ...details,
      ...(retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),
      causes: [{ reason: 'DisruptionBudget', message }],
    },
  });
}
