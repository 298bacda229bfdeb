import { type Document, LineCounter, parseAllDocuments, stringify, type Tags } from 'yaml';
import { decodeJson } from './json.ts';
import { DEPTH_MAX, JsonError } from './json-errors.ts';
import { duplicateKeys } from './yaml-duplicates.ts';
import { yamlFailure } from './yaml-problems.ts';

/** A text is no YAML, or repeats a key. */
export class YamlError extends Error {
  readonly code = 'YAML';
  /** What Go's YAML parser says: `yaml: line 3: …`; the message has upstream's words for the conversion before it. */
  readonly problem: string;

  constructor(problem: string, options?: ErrorOptions) {
    super(`error converting YAML to JSON: ${problem}`, options);
    this.name = 'YamlError';
    this.problem = problem;
  }
}

/**
 * Decodes all documents of a stream into JSON values, by the rules of `sigs.k8s.io/yaml`: YAML 1.1 words for booleans,
 * keys become text, times stay text, 64-bit integers that a double cannot hold become bigint. Empty documents are left out.
 */
export function decodeYaml(text: string, options: { uniqueKeys?: boolean } = {}): unknown[] {
  const json = /^\s*\{/.test(text) ? decodeIfJson(text) : undefined;
  if (json !== undefined) return [json];
  const { values } = parseDocuments(text, { uniqueKeys: options.uniqueKeys ?? true });
  return values.filter((value) => value !== null && value !== undefined);
}

/**
 * Decodes what a client sent: the first document that says anything, with its repeated keys in upstream's words
 * (`line 3: key "a" already set in map`); the last value of such a key wins. Refuses what would take too long.
 */
export function decodeClientYaml(text: string): { readonly value: unknown; readonly duplicates: readonly string[] } {
  const json = /^\s*\{/.test(text) ? decodeIfJson(text) : undefined;
  if (json !== undefined) return { value: json, duplicates: [] };
  checkSize(text);
  const { values, documents, lineCounter } = parseDocuments(text, { uniqueKeys: false });
  const value = values.find((one) => one !== null && one !== undefined) ?? null;
  return { value, duplicates: duplicateKeys(documents, lineCounter) };
}

function parseDocuments(text: string, { uniqueKeys }: { uniqueKeys: boolean }) {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, {
    version: '1.1',
    merge: true,
    uniqueKeys,
    intAsBigInt: true,
    strict: false,
    // They quote the lines around each failure, which takes quadratic time where there are many in one line.
    prettyErrors: false,
    lineCounter,
    customTags: plainTags,
  });
  const values = [...documents].map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new YamlError(yamlFailure(error, lineCounter), { cause: error });
    return toJsonValue(plainValue(document));
  });
  return { documents, values, lineCounter };
}

function plainValue(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    // What the parser throws: an alias of nothing, too many aliases, or nesting that its own walk cannot follow.
    const text = error instanceof Error ? error.message : String(error);
    const name = /^Unresolved alias .*: (.*)$/s.exec(text)?.[1];
    if (name !== undefined) throw new YamlError(`yaml: unknown anchor '${name}' referenced`, { cause: error });
    const isNesting = error instanceof RangeError;
    throw new YamlError(isNesting ? 'yaml: exceeded max depth' : 'yaml: document contains excessive aliasing', {
      cause: error,
    });
  }
}

/** A document of this many tokens holds the event loop for half a second; the largest of known CRDs has 40,000. */
const TOKENS_MAX = 60_000;
const TOKEN_MARKS = new Set(Array.from('[]{},:?-&*!\n', (mark) => mark.charCodeAt(0)));

/** Refuses a text from a client whose parse would take too long. JSON is not asked: it is read a hundred times faster. */
function checkSize(text: string): void {
  if (text.length < TOKENS_MAX) return;
  let tokens = 0;
  for (let index = 0; index < text.length; index += 1) if (TOKEN_MARKS.has(text.charCodeAt(index))) tokens += 1;
  if (tokens > TOKENS_MAX) throw new YamlError(`yaml: the document has more than ${TOKENS_MAX} tokens`);
}

/** Encodes a JSON value as Kubernetes' tools print it: keys sorted, lists not indented. */
export function encodeYaml(value: unknown): string {
  return stringify(value, {
    version: '1.1',
    sortMapEntries: true,
    indentSeq: false,
    lineWidth: 0,
    aliasDuplicateObjects: false,
    customTags: plainTags,
  });
}

/** Most clients send JSON where YAML is allowed, and that is read a hundred times faster. */
function decodeIfJson(text: string): unknown {
  try {
    const { value, duplicates } = decodeJson(Buffer.from(text));
    return duplicates.length === 0 ? value : undefined;
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

/** Guards against documents that blow up by repeating aliases. */
const ALIASES_MAX = 1000;

/** YAML 1.1 without what Go's parser does not know or leaves as text: times, base 60, sets and ordered maps. */
function plainTags(tags: Tags): Tags {
  const dropped = ['timestamp', 'set', 'omap', 'pairs', 'binary'];
  return tags.filter((tag) => {
    if (typeof tag === 'string') return !dropped.includes(tag);
    const name = tag.tag.slice(tag.tag.lastIndexOf(':') + 1);
    return !dropped.includes(name) && !('format' in tag && tag.format === 'TIME');
  });
}

function toJsonValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'bigint') {
    const isExact = BigInt.asIntN(64, value) === value && !Number.isSafeInteger(Number(value));
    return isExact ? value : Number(value);
  }
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) throw new YamlError('yaml: exceeded max depth');
  if (Array.isArray(value)) return value.map((item) => toJsonValue(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, toJsonValue(child, depth + 1)]));
}
