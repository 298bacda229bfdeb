import type { KubeObject } from '#machinery/meta/types.ts';
import { timestampSince } from '#machinery/time/human-duration.ts';
import type { KindColumn } from '../registry/kind.ts';
import type { TableColumn } from '../registry/resource.ts';

/** Descriptions as upstream's tables carry them: they are those of ObjectMeta. */
const NAME_DESCRIPTION =
  'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names';
const CREATED_DESCRIPTION =
  'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata';

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
