import type { Client, ResourceType } from '#client/client.ts';
import type { KubeObject } from '#machinery/meta/types.ts';

/** A served resource and what can be done with it. */
export interface DiscoveredResource extends ResourceType {
  readonly verbs: readonly string[];
}

interface Discovery {
  readonly resources: readonly DiscoveredResource[];
  /** Group versions that did not answer, such as those of an aggregated server that is down. */
  readonly failed: readonly { readonly groupVersion: string; readonly message: string }[];
}

/** What a server answers that knows discovery in one document (KEP-3352), as all since 1.27 do. */
const AGGREGATED =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,' +
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';

/** Reads all served resources, without subresources; of a resource served in several versions the preferred one. */
export async function discoverResources(client: Client, signal: AbortSignal): Promise<Discovery> {
  const [core, others] = await Promise.all([
    readJson(client, '/api', { signal, accept: AGGREGATED }),
    readJson(client, '/apis', { signal, accept: AGGREGATED }),
  ]);
  const isAggregated = (body: unknown): boolean => fieldOf(body, 'kind') === 'APIGroupDiscoveryList';
  return isAggregated(core) && isAggregated(others)
    ? fromAggregated([...listField(core, 'items'), ...listField(others, 'items')])
    : discoverOneByOne(client, signal);
}

function fromAggregated(groups: readonly unknown[]): Discovery {
  const resources: DiscoveredResource[] = [];
  const failed: { groupVersion: string; message: string }[] = [];
  const seen = new Set<string>();
  for (const item of groups) {
    const group = textField(fieldOf(item, 'metadata'), 'name');
    for (const versionItem of listField(item, 'versions')) {
      const version = textField(versionItem, 'version');
      if (textField(versionItem, 'freshness') === 'Stale') {
        const groupVersion = group === '' ? version : `${group}/${version}`;
        failed.push({ groupVersion, message: `stale GroupVersion discovery: ${groupVersion}` });
      }
      for (const entry of listField(versionItem, 'resources')) {
        const resource = aggregatedResource(entry, { group, version });
        const key = `${group}/${resource.resource}`;
        if (!seen.has(key)) resources.push(resource);
        seen.add(key);
      }
    }
  }
  return { resources, failed };
}

function aggregatedResource(
  entry: unknown,
  { group, version }: { group: string; version: string },
): DiscoveredResource {
  return {
    group,
    version,
    resource: textField(entry, 'resource'),
    kind: textField(fieldOf(entry, 'responseKind'), 'kind'),
    namespaced: textField(entry, 'scope') === 'Namespaced',
    verbs: listField(entry, 'verbs').filter((verb) => typeof verb === 'string'),
  };
}

async function discoverOneByOne(client: Client, signal: AbortSignal): Promise<Discovery> {
  const resources: DiscoveredResource[] = [];
  const failed: { groupVersion: string; message: string }[] = [];
  const seen = new Set<string>();
  for (const group of [{ versions: ['v1'] }, ...(await groupsOf(client, signal))]) {
    for (const groupVersion of group.versions) {
      const path = groupVersion.includes('/') ? `/apis/${groupVersion}` : `/api/${groupVersion}`;
      try {
        for (const resource of parseResources(await readJson(client, path, { signal }), groupVersion)) {
          const key = `${resource.group}/${resource.resource}`;
          if (!seen.has(key)) resources.push(resource);
          seen.add(key);
        }
      } catch (error) {
        signal.throwIfAborted();
        failed.push({ groupVersion, message: error instanceof Error ? error.message : String(error) });
      }
    }
  }
  return { resources, failed };
}

async function groupsOf(client: Client, signal: AbortSignal): Promise<{ versions: string[] }[]> {
  const body = await readJson(client, '/apis', { signal });
  return listField(body, 'groups').map((group) => {
    const preferred = textField(fieldOf(group, 'preferredVersion'), 'groupVersion');
    const versions = listField(group, 'versions').map((version) => textField(version, 'groupVersion'));
    return { versions: [preferred, ...versions.filter((version) => version !== preferred)].filter((v) => v !== '') };
  });
}

function parseResources(body: unknown, groupVersion: string): DiscoveredResource[] {
  const slash = groupVersion.indexOf('/');
  const group = slash < 0 ? '' : groupVersion.slice(0, slash);
  const version = groupVersion.slice(slash + 1);
  return listField(body, 'resources')
    .filter((entry) => !textField(entry, 'name').includes('/'))
    .map((entry) => ({
      group,
      version,
      resource: textField(entry, 'name'),
      kind: textField(entry, 'kind'),
      namespaced: fieldOf(entry, 'namespaced') === true,
      verbs: listField(entry, 'verbs').filter((verb) => typeof verb === 'string'),
    }));
}

async function readJson(
  client: Client,
  path: string,
  { signal, accept = 'application/json' }: { signal: AbortSignal; accept?: string },
): Promise<unknown> {
  const answer = await client.raw({ method: 'GET', path, headers: { accept }, signal });
  return JSON.parse(new TextDecoder().decode(answer.body));
}

function fieldOf(value: unknown, field: string): unknown {
  // Safe: any object can be read by a key of its own.
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined;
}

function listField(value: unknown, field: string): unknown[] {
  const list = fieldOf(value, field);
  return Array.isArray(list) ? list : [];
}

function textField(value: unknown, field: string): string {
  const text = fieldOf(value, field);
  return typeof text === 'string' ? text : '';
}

/** The kind's own name among resources, for look-ups by `apiVersion` and `kind`. */
export function kindKey(object: Pick<KubeObject, 'apiVersion' | 'kind'>): string {
  return `${object.apiVersion}/${object.kind}`;
}
