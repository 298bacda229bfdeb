import { isQuantity, parseQuantity } from '#machinery/quantity/quantity.ts';

/** Quantities repeat across objects; the bound keeps hostile input from filling memory. */
const CACHE_ENTRIES_MAX = 4096;
const canonicalOf = new Map<string, string>();

/** The canonical text of a quantity (`1000m` is `1`, `0.5` is `500m`); what is no quantity is returned unchanged. */
export function canonicalQuantity(value: unknown): unknown {
  if (typeof value !== 'string' && typeof value !== 'number') return value;
  const text = String(value).trim();
  const known = canonicalOf.get(text);
  if (known !== undefined) return known;
  if (!isQuantity(text)) return value;
  const canonical = parseQuantity(text).toString();
  if (canonicalOf.size >= CACHE_ENTRIES_MAX) canonicalOf.clear();
  canonicalOf.set(text, canonical);
  return canonical;
}
