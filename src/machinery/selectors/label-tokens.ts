const SYMBOLS = ['(', ')', ',', '!', '==', '=', '!=', '>', '<'] as const;

export interface Token {
  readonly type: (typeof SYMBOLS)[number] | 'in' | 'notin' | 'identifier' | 'error' | 'end';
  readonly text: string;
}

/** Splits a label selector's text; ends with an `end` token. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  while (position < text.length) {
    const character = text.charAt(position);
    if (isSpace(character)) {
      position += 1;
      continue;
    }
    const token = isSymbol(character) ? symbolAt(text, position) : wordAt(text, position);
    tokens.push(token);
    position += token.text.length;
  }
  tokens.push({ type: 'end', text: '' });
  return tokens;
}

function isSpace(character: string): boolean {
  return character === ' ' || character === '\t' || character === '\r' || character === '\n';
}

function isSymbol(character: string): boolean {
  return '=!(),><'.includes(character);
}

/** The longest symbol at a position. Every single symbol character is a token of its own. */
function symbolAt(text: string, position: number): Token {
  const two = text.slice(position, position + 2);
  if (two === '==' || two === '!=') return { type: two, text: two };
  const one = SYMBOLS.find((symbol) => symbol === text.charAt(position));
  return one === undefined ? { type: 'error', text: text.charAt(position) } : { type: one, text: one };
}

function wordAt(text: string, position: number): Token {
  let end = position;
  while (end < text.length && !isSpace(text.charAt(end)) && !isSymbol(text.charAt(end))) end += 1;
  const word = text.slice(position, end);
  return { type: word === 'in' || word === 'notin' ? word : 'identifier', text: word };
}
