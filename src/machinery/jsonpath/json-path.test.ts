import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonPath } from './json-path.ts';
import { JsonPathError } from './nodes.ts';

const STORE = {
  kind: 'List',
  items: [
    { name: 'one', ready: true, ports: [80, 443], labels: { 'app.io/name': 'web' } },
    { name: 'two', ready: false, ports: [], labels: {} },
    { name: 'three', ready: true, ports: [1], labels: {} },
  ],
  users: [
    { name: 'me', age: 30 },
    { name: 'you', age: 40.5 },
  ],
};

describe('JsonPath', () => {
  test.each([
    ['text', 'a {.kind} b', 'a List b'],
    ['quoted text', '{"x\\ty"}', 'x\ty'],
    ['a field in brackets', "{['kind']}", 'List'],
    ['an index', '{.items[0].name}', 'one'],
    ['an index from the end', '{.items[-1].name}', 'three'],
    ['a slice', '{.items[0:2].name}', 'one two'],
    ['a slice with a step', '{.items[::2].name}', 'one three'],
    ['a wildcard', '{.items[*].name}', 'one two three'],
    ['a wildcard field', '{.users[0].*}', 'me 30'],
    ['a union of indices', '{.items[0,2].name}', 'one three'],
    ['a union of fields', "{.users[0]['name','age']}", 'me 30'],
    ['recursion', '{..age}', '30 40.5'],
    ['a filter on equality', '{.users[?(@.name=="you")].age}', '40.5'],
    ['a filter on order', '{.users[?(@.age>30)].name}', 'you'],
    ['a filter on a boolean', '{.items[?(@.ready==true)].name}', 'one three'],
    ['a filter on existence', '{.users[?(@.age)].name}', 'me you'],
    ['an escaped dot', String.raw`{.items[0].labels.app\.io/name}`, 'web'],
    ['a range', '{range .items[*]}{.name}{"\\n"}{end}', 'one\ntwo\nthree\n'],
    [
      'ranges within a range',
      '{range .items[*]}{.name}:{range .ports[*]}{@},{end};{end}',
      'one:80,443,;two:;three:1,;',
    ],
    ['an object', '{.users[0]}', '{"name":"me","age":30}'],
    ['the root', '{$.kind}', 'List'],
  ])('reads %s', (_, template, printed) => {
    expect(new JsonPath(template).print(STORE)).toBe(printed);
  });

  test.each([
    ['a missing field', '{.nothing}', 'nothing is not found'],
    ['an index out of bounds', '{.items[5]}', 'array index out of bounds: index 5, length 3'],
    ['an index of what is no list', '{.kind[0]}', 'List is not array or slice'],
    ['a comparison of kinds', '{.users[?(@.age=="x")]}', 'incompatible types for comparison'],
  ])('says what is wrong about %s', (_, template, message) => {
    expect(() => new JsonPath(template).find(STORE)).toThrow(message);
  });

  test.each([
    ['an open brace', '{.a', 'unclosed action'],
    ['an open bracket', '{.a[0}', 'unterminated array'],
    ['an open filter', '{.a[?(@.b}', 'unterminated filter'],
    ['an open quote', '{"a}', 'unterminated quoted string'],
    ['a strange index', '{.a[x]}', 'invalid array index x'],
    ['a strange character', '{#}', "unrecognized character in action: U+0023 '#'"],
    ['a strange word', '{foo}', 'unrecognized identifier foo'],
  ])('refuses %s', (_, template, message) => {
    expect(() => new JsonPath(template)).toThrow(message);
  });

  test('finds nothing instead where missing keys are allowed', () => {
    expect(new JsonPath('{.a.b}', { allowMissingKeys: true }).find(STORE)).toEqual([[]]);
  });

  test('fails for any text with an error of its own only', () => {
    const template = fc.string({ unit: fc.constantFrom(...'{}[]()?@$.*,:\'"ab01 =<>\\-'.split('')), maxLength: 40 });
    fc.assert(
      fc.property(template, fc.jsonValue({ maxDepth: 3 }), (text, data) => {
        expect(failureOf(() => new JsonPath(text).print(data)) ?? new JsonPathError('')).toBeInstanceOf(JsonPathError);
      }),
      { numRuns: 300 },
    );
  });
});

function failureOf(run: () => void): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}
