/** Words of the language; a field of that name is written `__word__`. */
const RESERVED: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);
const ESCAPED: Readonly<Record<string, string>> = {
  __: '__underscores__',
  '.': '__dot__',
  '-': '__dash__',
  '/': '__slash__',
};
const UNESCAPED: Readonly<Record<string, string>> = { underscores: '__', dot: '.', dash: '-', slash: '/' };

/** How expressions write the name of a property; undefined where they cannot. */
export function escapeFieldName(name: string): string | undefined {
  if (RESERVED.has(name)) return `__${name}__`;
  if (!/^[A-Za-z_.\-/][A-Za-z0-9_.\-/]*$/.test(name)) return undefined;
  return name.replaceAll(/__|[.\-/]/g, (part) => ESCAPED[part] ?? part);
}

/** The property that an expression means; undefined where the escape is none. */
export function unescapeFieldName(escaped: string): string | undefined {
  let isBad = false;
  const name = escaped.replaceAll(/__([^_]+)__/g, (whole, word: string) => {
    const character = UNESCAPED[word];
    if (character !== undefined) return character;
    if (!RESERVED.has(word) || whole.length !== escaped.length) isBad = true;
    return word;
  });
  return isBad ? undefined : name;
}
