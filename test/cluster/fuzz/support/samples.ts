import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import { decodeJson } from '#machinery/codec/json.ts';
import { isRecord } from './record.ts';

/** A full object of one kind, and where it may be sent. */
export interface Sample {
  readonly definition: ResourceDefinition;
  readonly object: Record<string, unknown>;
}

const file = join(import.meta.dirname, '../../../../src/machinery/codec/testdata/roundtrip.json.gz');

/** The official samples of the kinds that are served. */
export function samplesFor(definitions: readonly ResourceDefinition[]): Sample[] {
  // Safe: the file is part of the repository and described beside it.
  const { samples } = decodeJson(gunzipSync(readFileSync(file))).value as {
    samples: readonly { readonly name: string; readonly json: Record<string, unknown> }[];
  };
  return definitions.flatMap((definition) => {
    const apiVersion = definition.group === '' ? definition.version : `${definition.group}/${definition.version}`;
    const sample = samples.find(({ json }) => json['kind'] === definition.kind && json['apiVersion'] === apiVersion);
    if (sample === undefined) return [];
    return [{ definition, object: plainMetadata(sample.json) }];
  });
}

/** What a client may not set is left out, so that more of an object is looked at. */
function plainMetadata(object: Record<string, unknown>): Record<string, unknown> {
  const metadata = isRecord(object['metadata']) ? object['metadata'] : {};
  const { name = 'sample', labels = {}, annotations = {} } = metadata;
  return { ...object, metadata: { name: String(name).toLowerCase(), labels, annotations } };
}

/** `/api/v1/namespaces/default/pods`, or without the namespace. */
export function collectionPath({ group, version, resource, namespaced }: ResourceDefinition): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return namespaced ? `${root}/namespaces/default/${resource}` : `${root}/${resource}`;
}
