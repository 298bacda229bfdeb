import type { CelLibrary } from '../environment.ts';
import {
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isQualifiedName,
  isValidLabelValue,
  maskTrailingDash,
} from '../../validation/names.ts';
import { declare, member, overload } from '../library/declaration.ts';
import { type CelType, listType, optionalType, STRING } from '../types/type.ts';
import { someOptional } from '../values/equality.ts';
import { parseTimestamp } from '../values/time.ts';
import { CelOptional, CelValue } from '../values/value.ts';
import { FORMAT } from './types.ts';
import { urlProblem } from './urls.ts';

interface FormatRule {
  /** What is wrong with the text; nothing where it has the format. */
  readonly validate: (text: string) => string[];
  /** The length of a pattern that would check it; costs are computed from it. */
  readonly patternSize: number;
}

export class CelFormat extends CelValue {
  readonly name: string;
  readonly rule: FormatRule;

  constructor(name: string, rule: FormatRule) {
    super();
    this.name = name;
    this.rule = rule;
  }

  get type(): CelType {
    return FORMAT;
  }

  isEqual(other: CelValue): boolean {
    return other instanceof CelFormat && other.name === this.name;
  }
}

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

const RULES: Readonly<Record<string, FormatRule>> = {
  dns1123Label: { validate: isDns1123Label, patternSize: 30 },
  dns1123Subdomain: { validate: isDns1123Subdomain, patternSize: 60 },
  dns1035Label: { validate: isDns1035Label, patternSize: 30 },
  qualifiedName: { validate: isQualifiedName, patternSize: 60 },
  dns1123LabelPrefix: { validate: (text) => isDns1123Label(maskTrailingDash(text)), patternSize: 30 },
  dns1123SubdomainPrefix: { validate: (text) => isDns1123Subdomain(maskTrailingDash(text)), patternSize: 60 },
  dns1035LabelPrefix: { validate: (text) => isDns1035Label(maskTrailingDash(text)), patternSize: 30 },
  labelValue: { validate: isValidLabelValue, patternSize: 40 },
  uri: { validate: validateUri, patternSize: 1938 },
  uuid: { validate: (text) => (UUID.test(text) ? [] : ['does not match the UUID format']), patternSize: 84 },
  byte: { validate: (text) => (BASE64.test(text) ? [] : ['invalid base64']), patternSize: 83 },
  date: { validate: (text) => (isDate(text) ? [] : ['invalid date']), patternSize: 82 },
  datetime: { validate: (text) => (isDateTime(text) ? [] : ['invalid datetime']), patternSize: 82 },
};

/** `format.dns1123Label()` or `format.named('dns1123Label')`, and `validate`, which gives what is wrong. */
export const FORMATS: CelLibrary = {
  namedTypes: [FORMAT],
  functions: [
    declare('validate', member('format-validate', [FORMAT, STRING], optionalType(listType(STRING)), validate)),
    declare('format.named', overload('format-named', [STRING], optionalType(FORMAT), named)),
    ...Object.entries(RULES).map(([name, rule]) => {
      const format = new CelFormat(name, rule);
      return declare(
        `format.${name}`,
        overload(`format.${name}`, [], FORMAT, () => format),
      );
    }),
  ],
};

function named(name: string): CelOptional {
  const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined;
  return rule === undefined ? CelOptional.NONE : someOptional(new CelFormat(name, rule));
}

function validate(format: CelFormat, text: string): CelOptional {
  const problems = format.rule.validate(text);
  return problems.length === 0 ? CelOptional.NONE : someOptional(problems);
}

function validateUri(text: string): string[] {
  const problem = urlProblem(text);
  return problem === undefined ? [] : [problem];
}

function isDate(text: string): boolean {
  return DATE.test(text) && parseTimestamp(`${text}T00:00:00Z`) !== undefined;
}

function isDateTime(text: string): boolean {
  return parseTimestamp(text.toUpperCase()) !== undefined;
}
