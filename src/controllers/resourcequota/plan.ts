import { isInScope } from '#api/core/v1/quota/scopes.ts';
import { addAmounts, type Amounts, type CountedResource, usageOf } from '#api/core/v1/quota/usage.ts';
import type { ResourceQuota, ResourceQuotaStatus } from '#api/generated/types.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { ZERO_QUANTITY } from '#machinery/quantity/quantity.ts';

const PLAIN_COUNTS: ReadonlySet<string> = new Set([
  'configmaps',
  'persistentvolumeclaims',
  'pods',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
]);

/** The resource whose objects use up what a quota calls `name`; pods use up all amounts that are not counts. */
export function countedResourceOf(name: string): CountedResource {
  if (name.startsWith('count/')) {
    const [resource = '', ...group] = name.slice('count/'.length).split('.');
    return { group: group.join('.'), resource };
  }
  if (PLAIN_COUNTS.has(name)) return { group: '', resource: name };
  if (name.startsWith('services.')) return { group: '', resource: 'services' };
  const isStorage = name === 'requests.storage' || name.includes('.storageclass.storage.k8s.io/');
  return { group: '', resource: isStorage ? 'persistentvolumeclaims' : 'pods' };
}

/** The resources that a quota is about, each once. */
export function countedResources(quota: ResourceQuota): CountedResource[] {
  const counted = Object.keys(quota.spec?.hard ?? {}).map((name) => countedResourceOf(name));
  return [...new Map(counted.map((one) => [`${one.group}/${one.resource}`, one])).values()];
}

/** The status of a quota whose namespace holds these objects. */
export function quotaStatus(
  quota: ResourceQuota,
  objects: readonly { readonly counted: CountedResource; readonly objects: readonly KubeObject[] }[],
): ResourceQuotaStatus {
  const hard = quota.spec?.hard ?? {};
  const sum: Amounts = new Map();
  for (const { counted, objects: items } of objects) {
    for (const object of items) if (isInScope(quota, counted, object)) addAmounts(sum, usageOf(counted, object));
  }
  const used = Object.keys(hard).map((name) => [name, (sum.get(name) ?? ZERO_QUANTITY).toString()] as const);
  return { hard: { ...hard }, used: Object.fromEntries(used) };
}
