import { nameColumn } from '#api/columns/common.ts';
import type { CustomResourceColumnDefinition } from '#api/generated/types.ts';
import type { TableColumn } from '#api/registry/resource.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import { JsonPath, printJsonValue } from '#machinery/jsonpath/json-path.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { timestampSince } from '#machinery/time/human-duration.ts';

const CREATED_DESCRIPTION =
  'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed ' +
  'to be set in happens-before order across separate operations. Clients may not set this value. It is represented in ' +
  'RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: ' +
  'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata';

const AGE: CustomResourceColumnDefinition = {
  name: 'Age',
  type: 'date',
  description: CREATED_DESCRIPTION,
  jsonPath: '.metadata.creationTimestamp',
};

/** The columns of a version: the name, and its own or else the age. */
export function customColumns(columns: readonly CustomResourceColumnDefinition[] | undefined): TableColumn[] {
  const own = columns === undefined || columns.length === 0 ? [AGE] : columns;
  return [nameColumn, ...own.map(columnOf)];
}

function columnOf(column: CustomResourceColumnDefinition): TableColumn {
  let path: JsonPath | undefined;
  let isBroken = false;
  const read = (object: KubeObject): JsonPath | undefined => {
    try {
      path ??= isBroken ? undefined : new JsonPath(`{${column.jsonPath}}`, { allowMissingKeys: true });
    } catch {
      // What upstream cannot parse it shows as an empty column.
      isBroken = true;
    }
    return object === undefined ? undefined : path;
  };
  const { name, format, description = '' } = column;
  // Safe: validation allows these types only.
  const type = column.type as TableColumn['type'];
  return {
    name,
    type,
    ...(format === undefined ? {} : { format }),
    description:
      description === '' ? `Custom resource definition column (in JSONPath format): ${column.jsonPath}` : description,
    priority: column.priority ?? 0,
    cell: (object, nowMs) => cellOf(read(object), { object, type, nowMs }),
  };
}

function cellOf(
  path: JsonPath | undefined,
  { object, type, nowMs }: { object: KubeObject; type: TableColumn['type']; nowMs: number },
): unknown {
  if (path === undefined) return null;
  try {
    const [values = []] = path.find(object);
    const [value] = values;
    if (values.length === 0) return null;
    return type === 'string' ? stringCell(value) : valueCell(value, type, nowMs);
  } catch {
    return null;
  }
}

function stringCell(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  return printJsonValue(value);
}

function valueCell(value: unknown, type: TableColumn['type'], nowMs: number): unknown {
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : typeof value === 'bigint' ? Number(value) : null;
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      if (typeof value !== 'string') return null;
      return value === '' || parseTime(value) !== undefined ? timestampSince(value, nowMs) : '<invalid>';
    case 'string':
      return stringCell(value);
    default:
      return type satisfies never;
  }
}
