import { SelectorError } from './label-selector.ts';

export interface FieldTerm {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** A compiled field selector: the conjunction of its terms. Which fields exist is the kind's business. */
export interface FieldMatcher {
  readonly terms: readonly FieldTerm[];
  readonly isEverything: boolean;
  /** `get` answers the empty string for an absent field. */
  matches(get: (field: string) => string): boolean;
  /** The one value that the selector demands of a field, if it demands one. */
  exactValue(field: string): string | undefined;
  /** The text form, escaped. */
  toString(): string;
}

/** Parses `metadata.name=web,status.phase!=Running`; throws `SelectorError`. */
export function parseFieldSelector(text: string): FieldMatcher {
  const terms = splitTerms(text)
    .filter((part) => part !== '')
    .map((part) => parseTerm(text, part));
  return {
    terms,
    isEverything: terms.length === 0,
    matches: (get) => {
      for (const { field, operator, value } of terms) {
        if ((get(field) === value) !== (operator === '=')) return false;
      }
      return true;
    },
    exactValue: (field) => terms.find((term) => term.field === field && term.operator === '=')?.value,
    toString: () => terms.map(({ field, operator, value }) => `${field}${operator}${escapeValue(value)}`).join(','),
  };
}

/** Makes a value fit for a field selector's text. */
export function escapeValue(value: string): string {
  return value.replaceAll(/[\\,=]/g, (character) => `\\${character}`);
}

/** Splits at commas that are not escaped; escapes stay in the parts. */
function splitTerms(text: string): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === '\\') index += 1;
    else if (character === ',') {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function parseTerm(selector: string, part: string): FieldTerm {
  for (let index = 0; index < part.length; index += 1) {
    const operator = ['!=', '==', '='].find((candidate) => part.startsWith(candidate, index));
    if (operator === undefined) continue;
    return {
      field: part.slice(0, index),
      operator: operator === '!=' ? '!=' : '=',
      value: unescapeValue(part.slice(index + operator.length)),
    };
  }
  throw new SelectorError(`invalid selector: '${selector}'; can't understand '${part}'`);
}

function unescapeValue(text: string): string {
  let value = '';
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === ',' || character === '=') {
      throw new SelectorError(`invalid field selector: unescaped character in value: ${character.charCodeAt(0)}`);
    }
    if (character !== '\\') {
      value += character;
      continue;
    }
    index += 1;
    const escaped = text.charAt(index);
    if (escaped !== '\\' && escaped !== ',' && escaped !== '=') {
      throw new SelectorError(`invalid field selector: invalid escape sequence: ${`\\${escaped}`}`);
    }
    value += escaped;
  }
  return value;
}
