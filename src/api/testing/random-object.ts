import type { Random } from '#machinery/random/random.ts';
import { type PresenceSchema, presenceSchemas } from '../schema/load.ts';

/** Deep enough to reach the containers of a cron job's pods, shallow enough for recursive schemas to end. */
const DEPTH_MAX = 11;
const ITEMS_MAX = 2;

const texts = ['', 'a', 'web', 'Always', 'x/y', '10.0.0.1', '25%', 'Bad Name', 'TCP'];
const quantities = ['0', '1', '100m', '0.5', '1Gi', '1000m', '-1'];
const numbers = [0, 1, -1, 80, 70000];

export interface RandomObjectOptions {
  readonly random: Random;
  /** The share of optional fields that are present, of 1. */
  readonly density: number;
}

/** An object of a definition with random fields, right in its types and mostly wrong in its values: for tests. */
export function randomObject(schemaName: string, options: RandomObjectOptions): Record<string, unknown> {
  return objectOf(presenceSchemas()[schemaName] ?? { type: 'object' }, 0, options);
}

function objectOf(schema: PresenceSchema, depth: number, options: RandomObjectOptions): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(schema.fields ?? {})) {
    if (options.random.float() < options.density) result[name] = valueOf(field, depth + 1, options);
  }
  return result;
}

function valueOf(schema: PresenceSchema, depth: number, options: RandomObjectOptions): unknown {
  switch (schema.type) {
    case 'ref':
      if (depth > DEPTH_MAX) return {};
      return objectOf(presenceSchemas()[schema.ref ?? ''] ?? schema, depth, options);
    case 'array':
      return Array.from({ length: options.random.int(ITEMS_MAX + 1) }, () =>
        valueOf(schema.items ?? { type: 'any' }, depth + 1, options),
      );
    case 'map':
      return { [pick(texts, options) ?? '']: valueOf(schema.items ?? { type: 'any' }, depth + 1, options) };
    case 'integer':
    case 'number':
      return pick(numbers, options);
    case 'boolean':
      return options.random.float() < 0.5;
    case 'quantity':
      return pick(quantities, options);
    case 'time':
    case 'microTime':
      return '2026-01-02T03:04:05Z';
    case 'intOrString':
      return options.random.float() < 0.5 ? pick(numbers, options) : pick(texts, options);
    case 'bytes':
      return 'YWJj';
    case 'any':
      return { a: 1 };
    default:
      return pick(texts, options);
  }
}

function pick<T>(values: readonly T[], { random }: RandomObjectOptions): T | undefined {
  return values[random.int(values.length)];
}
