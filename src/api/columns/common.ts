import type { KubeObject } from '#machinery/meta/types.ts';
import { timestampSince } from '#machinery/time/human-duration.ts';
import type { KindColumn } from '../registry/kind.ts';
import type { TableColumn } from '../registry/resource.ts';

const NAME_DESCRIPTION = 'The name of the object, unique in its namespace.';
const CREATED_DESCRIPTION = 'When the object was created.';

/** The first column of nearly every table. */
export const nameColumn: TableColumn = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: NAME_DESCRIPTION,
  priority: 0,
  cell: (object) => object.metadata.name ?? '',
};

/** Time since creation, as `kubectl get` shows it. */
export const ageColumn: TableColumn = {
  name: 'Age',
  type: 'string',
  description: CREATED_DESCRIPTION,
  priority: 0,
  cell: (object, nowMs) => timestampSince(object.metadata.creationTimestamp, nowMs),
};

/** For kinds without a printer of their own: a column of upstream's default table convertor. */
export const createdAtColumn: TableColumn = {
  name: 'Created At',
  type: 'date',
  description: CREATED_DESCRIPTION,
  priority: 0,
  cell: (object) => object.metadata.creationTimestamp ?? null,
};

export const defaultColumns: readonly TableColumn[] = [nameColumn, createdAtColumn];

interface ColumnOptions {
  readonly wide?: boolean;
  readonly type?: TableColumn['type'];
  readonly format?: string;
}

/** A column with upstream's usual type. */
export function column<T extends KubeObject>(
  name: string,
  description: string,
  cell: KindColumn<T>['cell'],
  options: ColumnOptions = {},
): KindColumn<T> {
  return {
    name,
    type: options.type ?? 'string',
    ...(options.format === undefined ? {} : { format: options.format }),
    description,
    priority: options.wide === true ? 1 : 0,
    cell,
  };
}

/** The age column's fellow, of another time. */
export function since(timestamp: string | undefined, nowMs: number): string {
  return timestampSince(timestamp, nowMs);
}

/** `a,b,c`, or `<none>`. */
export function joined(items: readonly string[] | undefined, separator = ','): string {
  return items === undefined || items.length === 0 ? '<none>' : items.join(separator);
}
