import type { ProtobufTable } from '#machinery/codec/protobuf/model.ts';
import { presenceSchemas } from './load.ts';

/** Field numbers of every message of the served API; large, so it is loaded at the first call. */
export async function protobufTable(): Promise<ProtobufTable> {
  const { default: table } = await import('../generated/protobuf.json', { with: { type: 'json' } });
  // Safe: the generator writes this form; the compiler sees tuples in JSON as lists.
  return table as unknown as ProtobufTable;
}

let byKind: Map<string, string> | undefined;

const META = 'k8s.io.apimachinery.pkg.apis.meta.v1';
/** What every group registers under its own version. */
const OPTIONS: ReadonlySet<string> = new Set([
  'CreateOptions',
  'DeleteOptions',
  'GetOptions',
  'ListOptions',
  'PatchOptions',
  'UpdateOptions',
  'WatchEvent',
]);
/** What belongs to no group: `v1`, or without a version in `/api` and below it. */
const UNVERSIONED: ReadonlySet<string> = new Set([
  'APIGroup',
  'APIGroupList',
  'APIResourceList',
  'APIVersions',
  'Status',
]);
const DISCOVERY = /^apidiscovery\.k8s\.io\/(v2|v2beta1) (APIGroupDiscovery(?:List)?)$/;

/** The protobuf message of a kind, such as `k8s.io.api.core.v1.Pod` for `v1`, `Pod`. */
export function protobufMessageOf(apiVersion: string, kind: string): string | undefined {
  if (OPTIONS.has(kind) || ((apiVersion === 'v1' || apiVersion === '') && UNVERSIONED.has(kind)))
    return `${META}.${kind}`;
  if (apiVersion === 'meta.k8s.io/v1' || apiVersion === 'meta.k8s.io/v1beta1') {
    // Both versions are one message; a Table has none.
    return kind.startsWith('PartialObjectMetadata') ? `${META}.${kind}` : undefined;
  }
  const discovery = DISCOVERY.exec(`${apiVersion} ${kind}`);
  if (discovery !== null) return `k8s.io.api.apidiscovery.${discovery[1]}.${discovery[2]}`;
  byKind ??= indexKinds();
  return byKind.get(`${apiVersion} ${kind}`);
}

function indexKinds(): Map<string, string> {
  const index = new Map<string, string>();
  for (const [name, schema] of Object.entries(presenceSchemas())) {
    for (const { group, version, kind } of schema.gvk ?? []) {
      index.set(`${group === '' ? version : `${group}/${version}`} ${kind}`, messageName(name));
    }
  }
  return index;
}

/** `io.k8s.api.core.v1.Pod` → `k8s.io.api.core.v1.Pod`. */
function messageName(definition: string): string {
  const [first = '', second = '', ...rest] = definition.split('.');
  return [second, first, ...rest].join('.').replaceAll('-', '_');
}
