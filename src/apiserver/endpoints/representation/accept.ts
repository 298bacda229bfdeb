/** One clause of an `Accept` header. */
export interface MediaRange {
  /** `application/json`, with wildcards; in lower case. */
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

/** Headers are bounded by the transport; clauses beyond this many are not looked at. */
const RANGES_MAX = 64;

/** A client sends the same few headers over and over; others are parsed again. */
const KNOWN_MAX = 200;
const known = new Map<string, readonly MediaRange[]>();

/** The clauses of an `Accept` header, best first: by quality, then the more exact ones, then as they stand. */
export function parseAccept(header: string): readonly MediaRange[] {
  let ranges = known.get(header);
  if (ranges === undefined) {
    ranges = parse(header);
    if (known.size < KNOWN_MAX && header.length < 1000) known.set(header, ranges);
  }
  return ranges;
}

function parse(header: string): MediaRange[] {
  const ranges = header.split(',', RANGES_MAX).map(parseRange);
  return ranges
    .filter(({ type, quality }) => type !== '' && quality > 0)
    .sort((a, b) => b.quality - a.quality || wildcards(a) - wildcards(b));
}

function wildcards({ type }: MediaRange): number {
  return type.startsWith('*/') ? 2 : type.endsWith('/*') ? 1 : 0;
}

function parseRange(text: string): MediaRange {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters = new Map<string, string>();
  for (const parameter of rest) {
    const equals = parameter.indexOf('=');
    if (equals > 0) parameters.set(parameter.slice(0, equals), parameter.slice(equals + 1).replace(/^"|"$/g, ''));
  }
  const quality = Number(parameters.get('q') ?? '1');
  return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 0 : quality };
}
