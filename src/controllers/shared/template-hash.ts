import type { PodTemplateSpec } from '#api/generated/types.ts';

export const POD_TEMPLATE_HASH_LABEL = 'pod-template-hash';

/** Letters and digits that make no words and are not mistaken for each other, as upstream encodes hashes. */
const SAFE_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/**
 * The value of `pod-template-hash`: a hash of the template and, after collisions, of their count. The same template
 * always gives the same value; how it is computed is Tiphys' own.
 */
export function podTemplateHash(template: PodTemplateSpec, collisionCount: number | undefined): string {
  let hash = fnv1a(canonicalJson(template), 0x811c9dc5);
  if (collisionCount !== undefined) hash = fnv1a(`#${collisionCount}`, hash);
  return String(hash).replaceAll(/\d/g, (digit) => SAFE_ALPHABET[digit.charCodeAt(0) % SAFE_ALPHABET.length] ?? '');
}

/** Whether two templates are the same but for the label that carries the hash. */
export function isSameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return canonicalJson(withoutHash(a)) === canonicalJson(withoutHash(b));
}

function withoutHash(template: PodTemplateSpec | undefined): unknown {
  const labels = template?.metadata?.labels;
  if (labels?.[POD_TEMPLATE_HASH_LABEL] === undefined) return template;
  const { [POD_TEMPLATE_HASH_LABEL]: _, ...others } = labels;
  return { ...template, metadata: { ...template?.metadata, labels: others } };
}

/** JSON with sorted keys, without empty objects, lists and nulls: absent and empty mean the same in a template. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(canonical(value)) ?? '';
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => canonical(item) ?? null);
  if (typeof value !== 'object' || value === null) return value ?? undefined;
  const entries = Object.entries(value)
    .map(([key, field]) => [key, canonicalField(field)] as const)
    .filter(([, field]) => field !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}

// An empty object says something in some places (`emptyDir: {}`), so only empty maps of strings could be dropped;
// the field names that hold such maps in a template are these.
const MAPS: ReadonlySet<string> = new Set(['labels', 'annotations', 'nodeSelector']);

function canonicalField(field: unknown): unknown {
  if (Array.isArray(field) && field.length === 0) return undefined;
  if (typeof field === 'object' && field !== null && !Array.isArray(field)) {
    const fields = canonical(field);
    const result: Record<string, unknown> = { ...(typeof fields === 'object' ? fields : {}) };
    for (const name of MAPS) if (isEmptyMap(result[name])) delete result[name];
    return result;
  }
  return canonical(field);
}

function isEmptyMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function fnv1a(text: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash;
}
