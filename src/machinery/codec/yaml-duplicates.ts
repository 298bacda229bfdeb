import { type Document, isMap, isScalar, isSeq, type LineCounter } from 'yaml';

/** Duplicates told of one document. */
const DUPLICATES_MAX = 50;

/** Keys that stand twice in parsed documents, in upstream's words: `line 3: key "a" already set in map`. */
export function duplicateKeys(documents: readonly Document.Parsed[], lineCounter: LineCounter): string[] {
  const found: string[] = [];
  const stack: unknown[] = documents.map((document) => document.contents).toReversed();
  while (stack.length > 0 && found.length < DUPLICATES_MAX) {
    const node = stack.pop();
    if (isSeq(node)) stack.push(...node.items.toReversed());
    if (!isMap(node)) continue;
    const seen = new Set<string>();
    for (const { key } of node.items) {
      // A key that is no scalar has no place in JSON, and looking into it could take forever.
      if (!isScalar(key)) continue;
      // The key that merges maps is a symbol.
      const name = typeof key.value === 'symbol' ? '<<' : String(key.value);
      const offset = key.range?.[0] ?? 0;
      if (seen.has(name)) {
        found.push(`line ${lineCounter.linePos(offset).line}: key ${JSON.stringify(name)} already set in map`);
      }
      seen.add(name);
    }
    stack.push(...node.items.map((pair) => pair.value).toReversed());
  }
  return found;
}
