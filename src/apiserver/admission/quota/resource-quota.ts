import type { Pod, ResourceQuota } from '#api/generated/types.ts';
import { forbidden } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { parseQuantity, ZERO_QUANTITY, type Quantity } from '#machinery/quantity/quantity.ts';
import type { ResourceView, WriteHook } from '../../server-parts.ts';
import { isInScope } from '#api/core/v1/quota/scopes.ts';
import { addAmounts, usageOf, type Amounts, type CountedResource } from '#api/core/v1/quota/usage.ts';

/** Compute resources that a pod must name where a quota limits them. */
const REQUIRED = /^(?:(?:requests|limits)\.)?(?:cpu|memory|ephemeral-storage)$/;

/**
 * Refuses writes that would exceed a namespace's quotas. Usage is counted from the stored objects and from the writes
 * that are under way, in one step with the reservation: two writes never share the last place. Quota statuses are
 * written by the quota controller.
 */
export class QuotaCheck {
  readonly #view: (group: string, resource: string) => ResourceView;
  /** Writes that are neither committed nor failed. */
  readonly #pending = new Set<{ counted: CountedResource; object: KubeObject; old: KubeObject | undefined }>();

  constructor(view: (group: string, resource: string) => ResourceView) {
    this.#view = view;
  }

  /** The hook of one resource. */
  hookFor(counted: CountedResource): WriteHook {
    return (write) => {
      if (write.operation === 'DELETE') return undefined;
      const namespace = write.object.metadata.namespace ?? '';
      if (namespace === '') return undefined;
      // Safe: the view holds ResourceQuotas.
      const quotas = this.#view('', 'resourcequotas').list(namespace) as ResourceQuota[];
      if (quotas.length === 0) return undefined;
      for (const quota of quotas) this.#check(quota, { counted, object: write.object, old: write.oldObject });
      if (write.dryRun) return undefined;
      const entry = { counted, object: write.object, old: write.oldObject };
      this.#pending.add(entry);
      return () => void this.#pending.delete(entry);
    };
  }

  #check(quota: ResourceQuota, change: { counted: CountedResource; object: KubeObject; old: KubeObject | undefined }) {
    const { counted, object, old } = change;
    if (!isInScope(quota, counted, object)) return;
    const hard = new Map(Object.entries(quota.spec?.hard ?? {}).map(([name, text]) => [name, parseQuantity(text)]));
    const usage = usageOf(counted, object);
    if (old === undefined) requireAmounts(quota, { counted, object, hard });
    const before = old === undefined ? new Map<string, Quantity>() : usageOf(counted, old);
    const requested = increase(usage, before, hard);
    if (requested.size === 0) return;
    const used = this.#used(quota, counted);
    const exceeded = [...requested].filter(([name, amount]) => {
      const limit = hard.get(name);
      return limit !== undefined && (used.get(name) ?? ZERO_QUANTITY).add(amount).compare(limit) > 0;
    });
    if (exceeded.length === 0) return;
    const names = exceeded.map(([name]) => name).sort();
    const print = (amounts: Amounts) =>
      names.map((name) => `${name}=${(amounts.get(name) ?? ZERO_QUANTITY).toString()}`).join(',');
    throw refusal(
      change,
      `exceeded quota: ${quota.metadata.name ?? ''}, requested: ${print(requested)}, ` +
        `used: ${print(used)}, limited: ${print(hard)}`,
    );
  }

  #used(quota: ResourceQuota, counted: CountedResource): Amounts {
    const used: Amounts = new Map();
    const namespace = quota.metadata.namespace ?? '';
    for (const object of this.#view(counted.group, counted.resource).list(namespace)) {
      if (isInScope(quota, counted, object)) addAmounts(used, usageOf(counted, object));
    }
    for (const { counted: other, object, old } of this.#pending) {
      if (other !== counted || object.metadata.namespace !== namespace || !isInScope(quota, counted, object)) continue;
      addAmounts(used, usageOf(counted, object));
      if (old === undefined) continue;
      for (const [name, value] of usageOf(counted, old)) used.set(name, (used.get(name) ?? value).subtract(value));
    }
    return used;
  }
}

/** What the write adds, of what the quota limits. */
function increase(usage: Amounts, before: Amounts, hard: ReadonlyMap<string, Quantity>): Amounts {
  const added: Amounts = new Map();
  for (const [name, amount] of usage) {
    if (!hard.has(name)) continue;
    const old = before.get(name);
    const difference = old === undefined ? amount : amount.subtract(old);
    if (difference.compare(ZERO_QUANTITY) > 0) added.set(name, difference);
  }
  return added;
}

function requireAmounts(
  quota: ResourceQuota,
  { counted, object, hard }: { counted: CountedResource; object: KubeObject; hard: ReadonlyMap<string, Quantity> },
): void {
  if (counted.group !== '' || counted.resource !== 'pods') return;
  // Safe: the resource says what kind the object is.
  const { spec } = object as Pod;
  const missing = new Map<string, string[]>();
  for (const name of [...hard.keys()].filter((key) => REQUIRED.test(key)).sort()) {
    const isLimit = name.startsWith('limits.');
    const resource = name.replace(/^(?:requests|limits)\./, '');
    const lacking = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].filter(
      ({ resources }) => (isLimit ? resources?.limits : resources?.requests)?.[resource] === undefined,
    );
    if (lacking.length > 0)
      missing.set(
        name,
        lacking.map((container) => container.name),
      );
  }
  if (missing.size === 0) return;
  const list = [...missing].map(([name, containers]) => `${name} for: ${containers.sort().join(',')}`).join('; ');
  throw refusal({ counted, object }, `failed quota: ${quota.metadata.name ?? ''}: must specify ${list}`);
}

function refusal({ counted, object }: { counted: CountedResource; object: KubeObject }, detail: string) {
  const { name = '', generateName = '' } = object.metadata;
  return forbidden({ ...counted, name: name === '' ? generateName : name }, detail);
}
