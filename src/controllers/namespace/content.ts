import type { Client } from '#client/client.ts';
import { StatusError } from '#machinery/errors/status-error.ts';
import { type DiscoveredResource, discoverResources } from '../shared/discovery.ts';
import { errorMessage } from '../shared/namespace-terminating.ts';
import { patientReads } from '../shared/patient-reads.ts';
import type { ContentReport } from './plan.ts';

/**
 * Deletes what is in a namespace: first the pods, and only when they are gone all else, so that no network policy or
 * secret goes before the workload that depends on it (KEP-5080). Reports what is left.
 */
export async function emptyNamespace(server: Client, namespace: string, signal: AbortSignal): Promise<ContentReport> {
  // One pass is some sixty calls, each of which must tell that nothing is left.
  const client = patientReads(server, signal);
  const { resources, failed } = await discoverResources(client, signal);
  const report = {
    remaining: new Map<string, number>(),
    finalizers: new Map<string, number>(),
    discoveryFailures: failed.map(({ groupVersion, message }) => `${groupVersion}: ${message}`),
    deletionFailures: [] as string[],
  };
  const deletable = resources.filter(
    (resource) => resource.namespaced && resource.verbs.includes('delete') && resource.verbs.includes('list'),
  );
  const isPods = (resource: DiscoveredResource) => resource.group === '' && resource.resource === 'pods';
  for (const pods of deletable.filter(isPods))
    await emptyResource(client, { namespace, resource: pods, report, signal });
  if (report.remaining.size > 0 || report.deletionFailures.length > 0) return report;
  for (const resource of deletable) {
    if (!isPods(resource)) await emptyResource(client, { namespace, resource, report, signal });
  }
  return report;
}

interface Emptying {
  readonly namespace: string;
  readonly resource: DiscoveredResource;
  readonly report: {
    readonly remaining: Map<string, number>;
    readonly finalizers: Map<string, number>;
    readonly deletionFailures: string[];
  };
  readonly signal: AbortSignal;
}

async function emptyResource(client: Client, { namespace, resource, report, signal }: Emptying): Promise<void> {
  // The dot stays without a group, too: upstream's condition reads `pods. has 1 resource instances`.
  const name = `${resource.resource}.${resource.group}`;
  try {
    const before = await client.list(resource, { namespace, limit: 1, signal });
    if (before.items.length === 0) return;
    if (resource.verbs.includes('deletecollection')) {
      await client.deleteCollection(resource, { namespace, propagationPolicy: 'Background', signal });
    } else {
      await deleteOneByOne(client, { namespace, resource, report, signal });
    }
    const { items } = await client.list(resource, { namespace, signal });
    if (items.length === 0) return;
    report.remaining.set(name, items.length);
    for (const finalizer of items.flatMap((item) => item.metadata.finalizers ?? [])) {
      report.finalizers.set(finalizer, (report.finalizers.get(finalizer) ?? 0) + 1);
    }
  } catch (error) {
    signal.throwIfAborted();
    // The resource is no longer served, or does not offer the verb after all.
    if (error instanceof StatusError && (error.code === 404 || error.code === 405)) return;
    report.deletionFailures.push(errorMessage(error));
  }
}

async function deleteOneByOne(client: Client, { namespace, resource, signal }: Emptying): Promise<void> {
  const { items } = await client.list(resource, { namespace, signal });
  for (const item of items) {
    const name = item.metadata.name ?? '';
    await client.delete(resource, { namespace, name }, { propagationPolicy: 'Background', signal });
  }
}
