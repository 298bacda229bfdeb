import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FieldPath } from '../field/field-path.ts';
import { fieldErrorText } from '../field/field-error.ts';
import { parseFieldSelector } from './field-selector.ts';
import { compileLabelSelector, labelSelectorFromSet, parseLabelSelector, SelectorError } from './label-selector.ts';
import { validateLabelSelector } from './validate.ts';

describe('parseLabelSelector', () => {
  test.each([
    ['', ''],
    ['app=web', 'app=web'],
    [' tier in ( b , a ), app == web ,!legacy', 'app==web,!legacy,tier in (a,b)'],
    ['x,y notin (),z!=1', 'x,y notin (),z!=1'],
    ['x in (foo,,baz)', 'x in (,baz,foo)'],
    ['in in (in,notin)', 'in in (in,notin)'],
    ['a=', 'a='],
    ['n>5,m<3', 'm<3,n>5'],
    ['example.com/a=b', 'example.com/a=b'],
  ])('%j means %j', (text, normal) => {
    expect(parseLabelSelector(text).toString()).toBe(normal);
    expect(parseLabelSelector(normal).toString()).toBe(normal);
  });

  const key = 'name part must consist of alphanumeric characters';
  test.each([
    ['a=b,', "found '', expected: identifier after ','"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['(a)', "found '(', expected: !, identifier, or 'end of string'"],
    ['a=b c', "found 'c', expected: ',' or 'end of string'"],
    ['!', "unable to parse requirement: found '', expected: identifier"],
    ['a@=b', `unable to parse requirement: <nil>: Invalid value: "a@": ${key}`],
    ['a=b@', 'unable to parse requirement: values[0][a]: Invalid value: "b@": a valid label must be an empty string'],
    [
      'a>b',
      "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be",
    ],
  ])('refuses %j', (text, message) => {
    let caught: unknown;
    try {
      parseLabelSelector(text);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(SelectorError);
    expect(String(caught)).toContain(message);
  });
});

describe('compileLabelSelector', () => {
  test('matches nothing when absent and everything when empty', () => {
    const nothing = compileLabelSelector(undefined);
    expect([nothing.isNothing, nothing.isEverything, nothing.matches({})]).toEqual([true, false, false]);
    const everything = compileLabelSelector({});
    expect([everything.isNothing, everything.isEverything, everything.matches(undefined)]).toEqual([false, true, true]);
    expect(labelSelectorFromSet({ b: '2', a: '1' }).toString()).toBe('a=1,b=2');
  });

  test('refuses an unknown operator', () => {
    const selector = { matchExpressions: [{ key: 'a', operator: 'Like', values: ['b'] }] };
    expect(() => compileLabelSelector(selector)).toThrow('"Like" is not a valid label selector operator');
  });

  const keys = fc.constantFrom('a', 'b', 'c');
  const values = fc.constantFrom('x', 'y', 'z', '1', '10');
  const requirement = fc.record({
    key: keys,
    operator: fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist'),
    values: fc.uniqueArray(values, { minLength: 1, maxLength: 3 }),
  });

  test('decides like the obvious reading, and its text parses back to the same', () => {
    fc.assert(
      fc.property(
        fc.dictionary(keys, values),
        fc.array(requirement, { maxLength: 3 }),
        fc.dictionary(keys, values),
        (matchLabels, expressions, labels) => {
          const matchExpressions = expressions.map((one) =>
            one.operator.endsWith('In') ? one : { key: one.key, operator: one.operator },
          );
          const expected =
            Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
            expressions.every((one) => {
              const value = labels[one.key];
              if (one.operator === 'Exists') return value !== undefined;
              if (one.operator === 'DoesNotExist') return value === undefined;
              const isListed = value !== undefined && one.values.includes(value);
              return one.operator === 'In' ? isListed : !isListed;
            });
          const matcher = compileLabelSelector({ matchLabels, matchExpressions });
          expect(matcher.matches(labels)).toBe(expected);
          const again = parseLabelSelector(matcher.toString());
          expect(again.toString()).toBe(matcher.toString());
          expect(again.matches(labels)).toBe(expected);
        },
      ),
    );
  });

  test('compares numbers with gt and lt', () => {
    expect(parseLabelSelector('a>9').matches({ a: '10' })).toBe(true);
    expect(parseLabelSelector('a>9').matches({ a: 'x' })).toBe(false);
    expect(parseLabelSelector('a<9').matches({})).toBe(false);
  });
});

describe('parseFieldSelector', () => {
  test('reads terms and matches them', () => {
    const matcher = parseFieldSelector('metadata.name=web,status.phase!=Running,spec.x==a\\,b\\=c');
    expect(matcher.terms).toEqual([
      { field: 'metadata.name', operator: '=', value: 'web' },
      { field: 'status.phase', operator: '!=', value: 'Running' },
      { field: 'spec.x', operator: '=', value: 'a,b=c' },
    ]);
    const fields: Record<string, string> = { 'metadata.name': 'web', 'spec.x': 'a,b=c' };
    expect(matcher.matches((field) => fields[field] ?? '')).toBe(true);
    expect(matcher.exactValue('metadata.name')).toBe('web');
    expect(matcher.exactValue('status.phase')).toBeUndefined();
    expect(parseFieldSelector('').isEverything).toBe(true);
  });

  test('escapes any value so that it parses back', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const text = parseFieldSelector(`a=${value.replaceAll(/[\\,=]/g, (found) => `\\${found}`)}`).toString();
        expect(parseFieldSelector(text).terms).toEqual([{ field: 'a', operator: '=', value }]);
      }),
    );
  });

  test('refuses what is no term', () => {
    expect(() => parseFieldSelector('foo')).toThrow("invalid selector: 'foo'; can't understand 'foo'");
    expect(() => parseFieldSelector('a=b=c')).toThrow('unescaped character in value');
    expect(() => parseFieldSelector('a=\\x')).toThrow('invalid escape sequence: \\x');
  });
});

describe('validateLabelSelector', () => {
  test('reports each problem at its path', () => {
    const errors = validateLabelSelector(
      {
        matchLabels: { 'a b': 'c' },
        matchExpressions: [
          { key: 'k', operator: 'In' },
          { key: 'k', operator: 'Exists', values: ['v'] },
          { key: 'k', operator: 'Like', values: ['v@'] },
        ],
      },
      new FieldPath('spec').child('selector'),
    );
    const texts = errors.map(fieldErrorText);
    expect(texts[0]).toContain('spec.selector.matchLabels: Invalid value: "a b": name part must consist of');
    expect(texts.slice(1, 4)).toEqual([
      "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      'spec.selector.matchExpressions[2].operator: Invalid value: "Like": not a valid selector operator',
    ]);
    expect(texts[4]).toContain('spec.selector.matchExpressions[2].values[0]: Invalid value: "v@"');
    expect(validateLabelSelector(undefined, new FieldPath('x'))).toEqual([]);
  });
});
