import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CelEnvironment } from './environment.ts';
import { compilationErrorText, issueText } from './errors.ts';
import { kubernetesEnvironment } from './kubernetes/environment.ts';
import { BOOL, DYN, INT, listType, STRING } from './types/type.ts';

const ENVIRONMENT = kubernetesEnvironment().extend({ variables: { self: DYN, name: STRING, count: INT } });

function textOf(source: string): string {
  const compiled = ENVIRONMENT.compile(source);
  return compiled.ok ? 'ok' : compilationErrorText(compiled.issues, source);
}

function run(source: string, self: unknown = {}): unknown {
  const compiled = ENVIRONMENT.compile(source);
  if (!compiled.ok) return compilationErrorText(compiled.issues, source);
  const result = compiled.program.evaluateSafely({ self, name: 'x', count: 3 });
  return 'error' in result ? result.error.message : result.value;
}

describe('errors of compilation', () => {
  const START =
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

  it.each([
    ['1 +', `1:4: Syntax error: mismatched input '<EOF>' expecting ${START}`],
    ['1 2', "1:3: Syntax error: extraneous input '2' expecting <EOF>"],
    ['missing == 1', "1:1: undeclared reference to 'missing' (in container '')"],
    ['missing(1)', "1:8: undeclared reference to 'missing' (in container '')"],
    ["1 + 'a'", "1:3: found no matching overload for '_+_' applied to '(int, string)'"],
    ['name.startsWith(1)', "1:16: found no matching overload for 'startsWith' applied to 'string.(int)'"],
    ['name.length', "1:5: type 'string' does not support field selection"],
    ['count && true', "1:1: expected type 'bool' but found 'int'"],
    ["[1, 'a']", "1:5: expected type 'int' but found 'string'"],
    [
      'count.all(x, true)',
      "1:1: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)",
    ],
    ['has(self)', '1:5: invalid argument to has() macro'],
    ['[1].all(self.x, true)', '1:13: argument is not an identifier'],
    ["name.matches('a(b')", '1:14: invalid matches argument'],
    ["duration('1x') > duration('1s')", '1:10: invalid duration argument'],
    [
      "'%d'.format(['a'])",
      '1:14: error during formatting: decimal clause can only be used on integers, was given string',
    ],
    ['namespace == 1', '1:1: reserved identifier: namespace'],
  ])('%s', (source, message) => {
    expect(textOf(source).split('\n')[0]).toBe(`compilation failed: ERROR: <input>:${message}`);
  });

  it('show the line and a caret beneath', () => {
    const source = "name == 'ü' &&\n  \tmissing";
    const compiled = ENVIRONMENT.compile(source);
    const text = compiled.ok ? '' : issueText(compiled.issues, source);
    expect(text).toBe(
      "ERROR: <input>:2:4: undeclared reference to 'missing' (in container '')\n |    missing\n | ...^",
    );
  });

  it('tell what the expression must evaluate to', () => {
    const compiled = ENVIRONMENT.compile('count', { expectedTypes: [BOOL] });
    expect(compiled.ok ? '' : compilationErrorText(compiled.issues, 'count')).toBe('must evaluate to bool but got int');
    const others = ENVIRONMENT.compile('self.x', { expectedTypes: [STRING, listType(STRING)] });
    expect(others.ok ? '' : compilationErrorText(others.issues, 'self.x')).toBe(
      'must evaluate to one of [string list(string)] but got dyn',
    );
  });

  it('include constants that have no value', () => {
    expect(textOf("int('x') == 1")).toBe("program instantiation failed: type conversion error from 'string' to 'int'");
  });
});

describe('evaluation', () => {
  it.each<[string, unknown, unknown]>([
    ['self.min <= self.n && self.n <= self.max', { min: 1, n: 2, max: 3 }, true],
    ["self.list.all(x, x.name.matches('^[a-z]+$'))", { list: [{ name: 'a' }, { name: 'B' }] }, false],
    ["self.metadata.labels.?env.orValue('none') == 'none'", { metadata: { labels: {} } }, true],
    ["!has(self.a) || self.a == 'x'", {}, true],
    ['self.a.b', { a: {} }, 'no such key: b'],
    ['self.a[3]', { a: [1] }, 'index out of bounds: 3'],
    ["self.a['b']", { a: [1] }, "unsupported index type 'string' in list"],
    ['self.a + 1', { a: 'x' }, 'no such overload'],
    ['self.a + 1', { a: true }, 'no such overload: _+_'],
    ['self.a < 1', { a: {} }, 'no such overload: _<_'],
    ['size(self.a)', { a: 1 }, 'no such overload: size'],
    ['self.a.startsWith(name)', { a: 1 }, 'no such overload'],
    ['self.a.trim()', { a: 1 }, 'no such overload: trim(int)'],
    ['self.n / 0', { n: 1 }, 'division by zero'],
    ['self.n % 0', { n: 1 }, 'modulus by zero'],
    ['self.n + 1', { n: 9_223_372_036_854_775_807n }, 'integer overflow'],
    ['self.n - 1 == 9223372036854775806', { n: 9_223_372_036_854_775_807n }, true],
    ['self.n * 3', { n: 9_007_199_254_740_991 }, 27_021_597_764_222_973n],
    ['-7 / 2 == -3 && -7 % 2 == -1', {}, true],
    ['self.x > 1 || self.n == 1', { n: 1 }, true],
    ['self.x > 1 && self.n == 2', { n: 1 }, false],
    ['self.x > 1 && self.n == 1', { n: 1 }, 'no such key: x'],
    ['self.n == 1.0 && 1u == self.n && self.n in [1.0]', { n: 1 }, true],
    ['self.ratio == 1.5 && type(self.ratio) == double', { ratio: 1.5 }, true],
    ['has(self.toString) || has(self.constructor)', {}, false],
    ['self.constructor == 1', { constructor: 1 }, true],
    ["size('👑é') == 2", {}, true],
    ['self.all(k, self[k] > 0)', { a: 1, b: 2 }, true],
    ['self.exists_one(k, self[k] > 1)', { a: 1, b: 2 }, true],
    ['self.list.transformList(i, x, i + x)', { list: [5, 6] }, [5, 7]],
    ['self.m.transformMap(k, v, v > 1, v * 2) == {"b": 4}', { m: { a: 1, b: 2 } }, true],
    ['[?self.?a, ?self.?b].size() == 1', { a: 1 }, true],
    ['self.?a.?b.hasValue() || self[?"c"].hasValue()', { a: {} }, false],
    ['optional.of(count).optMap(x, x + 1).value() == 4', {}, true],
    ["timestamp('2024-02-29T12:00:00.123456789Z').getMilliseconds() == 123", {}, true],
    ["string(timestamp('2011-08-18T19:03:37.010+01:00')) == '2011-08-18T19:03:37.01+01:00'", {}, true],
    ["timestamp('2024-03-10T10:00:00Z').getHours('America/New_York') == 6", {}, true],
    ["string(timestamp('2024-01-01T00:00:00.5Z') + duration('1h30m')) == '2024-01-01T01:30:00.5Z'", {}, true],
    ["'%.2f %e %s'.format([1234567.891, 3.14, ['a', 1.5]])", {}, '1,234,567.89 3.140000×10⁰⁰ ["a", 1.500000]'],
  ])('%s', (source, self, wanted) => {
    expect(run(source, self)).toEqual(wanted);
  });

  it('reads lazily what an activation leaves out', () => {
    const compiled = ENVIRONMENT.compile("name == 'a' || count == 1");
    if (!compiled.ok) throw new Error('does not compile');
    expect(compiled.program.evaluate({ name: 'a' }).value).toBe(true);
    expect(() => compiled.program.evaluate({ name: 'b' })).toThrow('no such attribute(s): count');
    expect(compiled.program.variableNames).toEqual(['name', 'count']);
  });
});

describe('hostile expressions', () => {
  const nested = (depth: number): string => (depth === 0 ? 'true' : `self.list.all(x${depth}, ${nested(depth - 1)})`);

  it.each<[string, string]>([
    ['parentheses', `${'('.repeat(40_000)}1${')'.repeat(40_000)}`],
    ['open lists', '['.repeat(99_000)],
    ['open strings', `'''${'"""a'.repeat(20_000)}`],
    ['sums', `1${' + 1'.repeat(20_000)}`],
    ['selections', `self${'.a'.repeat(40_000)}`],
    ['conditions', `${'true ? 1 : '.repeat(9_000)}1`],
    ['calls', `${'size('.repeat(15_000)}1`],
    ['too long', ' '.repeat(100_001)],
    ['list of lists', `${'['.repeat(240)}${']'.repeat(240)} == 1`],
    ['maps as keys', `[1]${'.map(a, {"k": a, "l": a})'.repeat(200)} == 1`],
    ['nested comprehensions', nested(100)],
  ])('end with an error: %s', (_name, source) => {
    expect(typeof run(source, { list: Array.from({ length: 100 }, (_, index) => index) })).toBe('string');
  });

  it.each<[string, string]>([
    ['doubling lists', `[[1]]${'.map(l, l + l)'.repeat(40)}.size() == 1`],
    ['doubling strings', `['ab']${'.map(l, l + l)'.repeat(60)}.size() == 1`],
    ['loops in loops', nested(5)],
    ['large ranges', 'lists.range(100000000).size() == 1'],
    [
      'replacing everything',
      `'${'a'.repeat(9000)}'.replace('a', '${'b'.repeat(9000)}')${".replace('b', 'bbbbbbbbb')".repeat(9)}`,
    ],
  ])('run into a limit: %s', (_name, source) => {
    const got = run(source, { list: Array.from({ length: 200 }, (_, index) => index) });
    expect(got).toMatch(/operation cancelled|too long|limits/);
  });

  it('match patterns in linear time', () => {
    expect(run("self.text.matches('^(a+)+$')", { text: `${'a'.repeat(5_000)}!` })).toBe(false);
  });

  it('take long chains of signs and conditions', () => {
    expect(run(`${'-'.repeat(99_000)}1`)).toBe(1);
    expect(run(`true${' && true'.repeat(9_000)}`)).toBe(true);
  });
});

describe('any source', () => {
  const token = fc.constantFrom(
    ...'self name count 1 2u 1.5 "a" b\'x\' true null + - * / % == != < in && || ! ? : . , ( ) [ ] { } .? [? has all map x ` \\ é \n'.split(
      ' ',
    ),
  );

  it('compiles or gives issues, and evaluates or gives an error', () => {
    const sources = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.array(token, { maxLength: 25 }).map((parts) => parts.join(' ')),
    );
    fc.assert(
      fc.property(sources, (source) => {
        const compiled = ENVIRONMENT.compile(source);
        const text = compiled.ok ? 'ok' : compilationErrorText(compiled.issues, source);
        expect(text).not.toBe('');
        if (!compiled.ok) return;
        compiled.program.evaluateSafely({ self: { a: [1] }, name: 'n', count: 2 });
        const { min, max } = compiled.cost();
        fc.pre(min <= max);
      }),
      { numRuns: 1500 },
    );
  });
});

/** The slow, obvious meaning of an expression: an integer, a truth value or an error. */
interface Model {
  readonly source: string;
  readonly value: bigint | boolean | 'error';
}

const INT_RANGE = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

function checked(value: bigint): bigint | 'error' {
  return value < INT_RANGE.min || value > INT_RANGE.max ? 'error' : value;
}

function arithmeticModel(operator: string, left: Model, right: Model): Model {
  const source = `(${left.source} ${operator} ${right.source})`;
  const { value: a } = left;
  const { value: b } = right;
  if (typeof a !== 'bigint' || typeof b !== 'bigint') return { source, value: 'error' };
  if ((operator === '/' || operator === '%') && b === 0n) return { source, value: 'error' };
  const results: Record<string, () => bigint> = {
    '+': () => a + b,
    '-': () => a - b,
    '*': () => a * b,
    '/': () => a / b,
    '%': () => (b === -1n && a === INT_RANGE.min ? INT_RANGE.max + 1n : a % b),
  };
  return { source, value: checked(results[operator]?.() ?? 0n) };
}

function comparisonModel(operator: string, left: Model, right: Model): Model {
  const source = `(${left.source} ${operator} ${right.source})`;
  if (left.value === 'error' || right.value === 'error') return { source, value: 'error' };
  const results: Record<string, boolean> = {
    '<': left.value < right.value,
    '<=': left.value <= right.value,
    '==': left.value === right.value,
    '!=': left.value !== right.value,
  };
  return { source, value: results[operator] ?? false };
}

function logicModel(operator: string, left: Model, right: Model): Model {
  const source = `(${left.source} ${operator} ${right.source})`;
  const deciding = operator === '||';
  if (left.value === deciding || right.value === deciding) return { source, value: deciding };
  return { source, value: left.value === 'error' || right.value === 'error' ? 'error' : !deciding };
}

describe('arithmetic and logic', () => {
  const literal = fc
    .oneof(fc.bigInt(-20n, 20n), fc.bigInt(INT_RANGE), fc.constantFrom(INT_RANGE.min, INT_RANGE.max))
    .map((value): Model => ({ source: `dyn(${value})`, value }));
  const { logic } = fc.letrec<{ number: Model; logic: Model }>((tie) => ({
    number: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      literal,
      fc
        .tuple(fc.constantFrom('+', '-', '*', '/', '%'), tie('number'), tie('number'))
        .map(([operator, left, right]) => arithmeticModel(operator, left, right)),
    ),
    logic: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc
        .tuple(fc.constantFrom('<', '<=', '==', '!='), tie('number'), tie('number'))
        .map(([operator, left, right]) => comparisonModel(operator, left, right)),
      fc
        .tuple(fc.constantFrom('&&', '||'), tie('logic'), tie('logic'))
        .map(([operator, left, right]) => logicModel(operator, left, right)),
    ),
  }));
  const environment = CelEnvironment.standard();

  it('mean what a tree-walking model says', () => {
    fc.assert(
      fc.property(logic, ({ source, value }) => {
        const compiled = environment.compile(source);
        if (!compiled.ok) throw new Error(compilationErrorText(compiled.issues, source));
        const result = compiled.program.evaluateSafely({});
        expect('error' in result ? 'error' : result.value).toBe(value);
      }),
      { numRuns: 500 },
    );
  });
});
