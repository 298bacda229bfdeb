import type { ProtobufTable } from '#machinery/codec/protobuf/plan.ts';
import { presenceSchemas } from './load.ts';

/** Field numbers of every message of the served API; large, so it is loaded at the first call. */
export async function protobufTable(): Promise<ProtobufTable> {
  const { default: table } = await import('../generated/protobuf.json', { with: { type: 'json' } });
  // Safe: the generator writes this form; the compiler sees tuples in JSON as lists.
  return table as unknown as ProtobufTable;
}

let byKind: Map<string, string> | undefined;

/** The protobuf message of a kind, such as `k8s.io.api.core.v1.Pod` for `v1`, `Pod`. */
export function protobufMessageOf(apiVersion: string, kind: string): string | undefined {
  // Every group registers it under its own version.
  if (kind === 'DeleteOptions') return 'k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions';
  byKind ??= indexKinds();
  return byKind.get(`${apiVersion} ${kind}`) ?? byKind.get(`v1 ${kind}`);
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
