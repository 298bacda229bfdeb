import type { ResourceDefinition } from '#api/registry/resource.ts';
import { apiVersionOf, type KubeObject, type ListMeta, type ObjectMeta } from '#machinery/meta/types.ts';
import { partialObject } from './partial.ts';

interface TableRow {
  readonly cells: unknown[];
  readonly object?: unknown;
}

export interface Table {
  readonly kind: 'Table';
  readonly apiVersion: string;
  readonly metadata: ListMeta;
  readonly columnDefinitions: readonly object[];
  readonly rows: readonly TableRow[];
}

export interface TableOptions {
  readonly version: 'v1' | 'v1beta1';
  readonly includeObject: 'None' | 'Metadata' | 'Object';
  readonly nowMs: number;
}

/** What `kubectl get` prints: the kind's columns, with a cell for each object. */
export function tableOf(
  definition: ResourceDefinition,
  objects: readonly KubeObject[],
  metadata: ListMeta,
  options: TableOptions,
): Table {
  const rows = objects.map((object) => rowOf(definition, object, options));
  return { ...tableHead(definition, metadata, options), rows };
}

/** A table without its rows. */
export function tableHead(
  definition: ResourceDefinition,
  metadata: ListMeta,
  { version }: TableOptions,
): Omit<Table, 'rows'> {
  const columnDefinitions = definition.columns.map(({ name, type, format, description, priority }) => ({
    name,
    type,
    format: format ?? '',
    description,
    priority,
  }));
  return { kind: 'Table', apiVersion: `meta.k8s.io/${version}`, metadata, columnDefinitions };
}

/** The metadata of a table that shows a single object. */
export function tableMetadata({ resourceVersion }: ObjectMeta): ListMeta {
  return resourceVersion === undefined ? {} : { resourceVersion };
}

/** The row of one object. */
export function rowOf(definition: ResourceDefinition, object: KubeObject, options: TableOptions): TableRow {
  const cells = definition.columns.map((column) => column.cell(object, options.nowMs) ?? null);
  if (options.includeObject === 'None') return { cells };
  if (options.includeObject === 'Metadata') return { cells, object: partialObject(object, options.version) };
  const apiVersion = apiVersionOf(definition);
  return { cells, object: { ...object, kind: definition.kind, apiVersion } };
}
