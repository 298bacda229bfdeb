import { keyPositions } from '#machinery/codec/exact-json.ts';

/** Upstream's decoder reports no more than this. */
const FINDINGS_MAX = 100;

/** What strict decoding looks at beside the schema. */
export interface RawBody {
  /** Length of the JSON that this was read from; absent where it came otherwise. */
  readonly jsonBytes?: number;
  readonly value: unknown;
  /** Paths of keys that stood twice in JSON. */
  readonly duplicates: readonly string[];
  /** The JSON itself; tells the order of findings of both sorts. */
  readonly text?: () => string;
  /** What a strict YAML decoder says of keys that stand twice: one text with a line for each. */
  readonly yamlProblem?: string;
}

/**
 * What strict decoding complains about, in upstream's words: in the order of the document, each thing once. Whatever
 * stands inside of an unknown field is not looked at.
 */
export function strictFindings(body: RawBody, unknown: readonly string[]): string[] {
  const unknownTexts = unknown.map((path) => ({ path, text: `unknown field ${JSON.stringify(path)}` }));
  const unknownPaths = new Set(unknown);
  const known = body.duplicates.filter((path) => !isInside(path, unknownPaths));
  const duplicateTexts = known.map((path) => ({ path, text: `duplicate field ${JSON.stringify(path)}` }));
  const findings = [...duplicateTexts, ...unknownTexts];
  if (duplicateTexts.length > 0 && unknownTexts.length > 0 && body.text !== undefined) {
    const positions = positionsIn(body.text());
    const isDuplicate = new Set(known);
    // A duplicate is found where its key stands again.
    const positionOf = (path: string): number => positions.get(path)?.[isDuplicate.has(path) ? 1 : 0] ?? 0;
    findings.sort((a, b) => positionOf(a.path) - positionOf(b.path));
  }
  const texts = [...new Set(findings.map(({ text }) => text))].slice(0, FINDINGS_MAX);
  return body.yamlProblem === undefined ? texts : [body.yamlProblem, ...texts];
}

/** Nobody reads the findings of so long a text in order, and to remember each of its keys could cost much. */
const ORDERED_TEXT_MAX = 512 * 1024;

function positionsIn(text: string): ReadonlyMap<string, readonly number[]> {
  return text.length > ORDERED_TEXT_MAX ? new Map() : keyPositions(text);
}

function isInside(path: string, outer: ReadonlySet<string>): boolean {
  if (outer.size === 0) return false;
  if (outer.has(path)) return true;
  for (let index = 0; index < path.length; index += 1) {
    const isBorder = path.charCodeAt(index) === DOT || path.charCodeAt(index) === BRACKET;
    if (isBorder && outer.has(path.slice(0, index))) return true;
  }
  return false;
}

const DOT = 0x2e;
const BRACKET = 0x5b;

const YAML_HEAD = 'yaml: unmarshal errors:\n';

/** The text of a strict YAML decoder that found these lines. */
export function yamlProblem(lines: readonly string[]): string {
  return `${YAML_HEAD}${lines.map((line) => `  ${line}`).join('\n')}`;
}

/** The warnings that a finding makes: of YAML one for each line. */
export function warningsOf(finding: string): string[] {
  if (!finding.startsWith(YAML_HEAD)) return [finding];
  return finding
    .slice(YAML_HEAD.length)
    .split('\n')
    .map((line) => line.trim());
}
