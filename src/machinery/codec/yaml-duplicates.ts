import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml';

/** Duplicates told of one document. */
const DUPLICATES_MAX = 50;

/** Keys that stand twice in a YAML (or JSON) text, in upstream's words: `line 3: key "a" already set in map`. */
export function duplicateKeys(text: string): string[] {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, { version: '1.1', uniqueKeys: false, strict: false, lineCounter });
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
      const name = String(key.value);
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
