import type { Fields } from '#machinery/meta/types.ts';

/**
 * What autoscaling/v1 keeps in annotations has shapes of its own: metrics as that version would have them, and the
 * behavior as Go prints its internal form. This translates both ways.
 */

/** A value of v2, by its path, and its name in v1; `zero` is written where v1 always has the field. */
interface Pair {
  readonly path: readonly string[];
  readonly name: string;
  readonly zero?: string;
}

type Source = 'object' | 'pods' | 'resource' | 'containerResource' | 'external';
type Shape = Readonly<Record<Source, readonly Pair[]>>;

const sources: readonly Source[] = ['object', 'pods', 'resource', 'containerResource', 'external'];

function pair(path: string, name: string, zero?: string): Pair {
  return { path: path.split('.'), name, ...(zero === undefined ? {} : { zero }) };
}

const metricName = pair('metric.name', 'metricName', '');
const selector = pair('metric.selector', 'selector');
const ownName = pair('name', 'name', '');
const container = pair('container', 'container', '');
const utilization = pair('target.averageUtilization', 'targetAverageUtilization');
const average = pair('target.averageValue', 'targetAverageValue');

const specShape: Shape = {
  object: [
    pair('describedObject', 'target'),
    metricName,
    pair('target.value', 'targetValue', '0'),
    selector,
    pair('target.averageValue', 'averageValue'),
  ],
  pods: [metricName, pair('target.averageValue', 'targetAverageValue', '0'), selector],
  resource: [ownName, utilization, average],
  containerResource: [ownName, utilization, average, container],
  external: [metricName, pair('metric.selector', 'metricSelector'), pair('target.value', 'targetValue'), average],
};

const currentUtilization = pair('current.averageUtilization', 'currentAverageUtilization');
const currentAverage = pair('current.averageValue', 'currentAverageValue', '0');

const statusShape: Shape = {
  object: [
    pair('describedObject', 'target'),
    metricName,
    pair('current.value', 'currentValue', '0'),
    selector,
    pair('current.averageValue', 'averageValue'),
  ],
  pods: [metricName, currentAverage, selector],
  resource: [ownName, currentUtilization, currentAverage],
  containerResource: [ownName, currentUtilization, currentAverage, container],
  external: [
    metricName,
    pair('metric.selector', 'metricSelector'),
    pair('current.value', 'currentValue', '0'),
    pair('current.averageValue', 'currentAverageValue'),
  ],
};

export function metricsToV1(metrics: readonly object[], of: 'spec' | 'status'): object[] {
  return metrics.map((metric) => {
    const from = fieldsOf(metric);
    const out: Fields = { type: from['type'] ?? '' };
    for (const source of sources) {
      if (from[source] === undefined) continue;
      const result: Fields = {};
      for (const { path, name, zero } of shapeOf(of)[source]) {
        const value = valueAt(from[source], path) ?? zero;
        if (value !== undefined) result[name] = value;
      }
      out[source] = result;
    }
    return out;
  });
}

export function metricsFromV1(metrics: unknown, of: 'spec' | 'status'): object[] {
  if (!Array.isArray(metrics)) return [];
  return metrics.map((metric: unknown) => {
    const from = fieldsOf(metric);
    const out: Fields = { type: from['type'] ?? '' };
    for (const source of sources) {
      if (from[source] === undefined || from[source] === null) continue;
      const given = fieldsOf(from[source]);
      const result: Fields = {};
      for (const { path, name, zero } of shapeOf(of)[source]) {
        const value = given[name] ?? zero;
        if (value !== undefined) setAt(result, path, value);
      }
      if (of === 'spec') setAt(result, ['target', 'type'], targetType(source, given));
      else result['current'] ??= {};
      out[source] = result;
    }
    return out;
  });
}

function shapeOf(of: 'spec' | 'status'): Shape {
  return of === 'spec' ? specShape : statusShape;
}

/** Version 1 has no types of targets: the fields that are there say which it is. */
function targetType(source: Source, given: Fields): string {
  switch (source) {
    case 'pods':
      return 'AverageValue';
    case 'object':
      return given['averageValue'] === undefined ? 'Value' : 'AverageValue';
    case 'external':
      return given['targetValue'] === undefined ? 'AverageValue' : 'Value';
    case 'resource':
    case 'containerResource':
      return given['targetAverageUtilization'] === undefined ? 'AverageValue' : 'Utilization';
    default:
      return source satisfies never;
  }
}

const ways = ['scaleUp', 'scaleDown'] as const;
const ruleFields = ['stabilizationWindowSeconds', 'selectPolicy', 'policies', 'tolerance'] as const;
const policyFields = ['type', 'value', 'periodSeconds'] as const;

/** Go's names, and null for what is absent. */
export function behaviorToV1(behavior: object): object {
  const from = fieldsOf(behavior);
  return Object.fromEntries(
    ways.map((way) => {
      if (from[way] === undefined) return [goName(way), null];
      const rules = fieldsOf(from[way]);
      const entries = ruleFields.map((field) => {
        const value = rules[field] ?? null;
        return [goName(field), field === 'policies' && Array.isArray(value) ? value.map(policyToV1) : value];
      });
      return [goName(way), Object.fromEntries(entries)];
    }),
  );
}

function policyToV1(policy: unknown): object {
  const from = fieldsOf(policy);
  return Object.fromEntries(policyFields.map((field) => [goName(field), from[field] ?? (field === 'type' ? '' : 0)]));
}

/** The way back, for names in any case, as Go reads them; undefined: it says nothing. */
export function behaviorFromV1(text: unknown): object | undefined {
  const from = lowered(text);
  const out: Fields = {};
  for (const way of ways) {
    const given = from[way.toLowerCase()];
    if (typeof given !== 'object' || given === null) continue;
    const rules: Fields = {};
    for (const field of ruleFields) {
      const value = lowered(given)[field.toLowerCase()] ?? undefined;
      if (value === undefined) continue;
      rules[field] = field === 'policies' && Array.isArray(value) ? value.map(policyFromV1) : value;
    }
    out[way] = rules;
  }
  return Object.keys(out).length === 0 ? undefined : out;
}

function policyFromV1(policy: unknown): object {
  const from = lowered(policy);
  return Object.fromEntries(
    policyFields.map((field) => [field, from[field.toLowerCase()] ?? (field === 'type' ? '' : 0)]),
  );
}

function goName(field: string): string {
  return field.charAt(0).toUpperCase() + field.slice(1);
}

function lowered(value: unknown): Fields {
  return Object.fromEntries(Object.entries(fieldsOf(value)).map(([key, item]) => [key.toLowerCase(), item]));
}

function fieldsOf(value: unknown): Fields {
  // Safe: a JSON object's fields are read one by one as unknown.
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, name) => fieldsOf(at)[name], value);
}

/** Sets a field one or two levels deep. */
function setAt(object: Fields, [first = '', second]: readonly string[], value: unknown): void {
  if (second === undefined) object[first] = value;
  else object[first] = { ...fieldsOf(object[first]), [second]: value };
}
