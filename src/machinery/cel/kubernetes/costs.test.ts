import { describe, expect, it } from 'vitest';
import type { SizeEstimator } from '../cost/node.ts';
import { CelAuthorizer } from './authorizer.ts';
import { kubernetesEnvironment } from './environment.ts';
import { JSON_PATCHES } from './object-types.ts';
import { AUTHORIZER } from './types.ts';

/** What the API server estimates at least and at most, and what an evaluation costs, without folding of constants. */
type Row = readonly [expression: string, min: number, max: number, actual: number];

const TEXTS = "['012345678901', '012345678901', '012345678901', '012345678901', '012345678901']";

const ROWS: readonly Row[] = [
  ['[1, 2, 3, 4, 5].sum()', 15, 15, 15],
  ['[uint(1), uint(2), uint(3), uint(4), uint(5)].isSorted()', 20, 20, 20],
  [`${TEXTS}.max()`, 15, 25, 15],
  [`${TEXTS}.indexOf('x')`, 15, 25, 15],
  ["'01234567890123456789012345678901234567890123456789'.indexOf('123')", 5, 5, 5],
  ["url('https:://kubernetes.io/').getHost()", 4, 4, 4],
  ["url('https:://kubernetes.io/') == url('https:://kubernetes.io/')", 7, 9, 7],
  ["ip('192.168.0.1').isLoopback()", 3, 3, 3],
  ["ip('2001:db8:3333:4444:5555:6666:7777:8888') == ip('192.168.0.1')", 7, 7, 7],
  ["ip.isCanonical('2001:db8:3333:4444:5555:6666:7777:8888')", 8, 8, 8],
  ["cidr('192.168.0.0/16').masked()", 3, 3, 3],
  ["'ABCDEFGHIJ abcdefghij'.lowerAscii() == 'abcdefghij ABCDEFGHIJ'.lowerAscii()", 7, 9, 9],
  ["strings.quote('ABCDEFGHIJ abcdefghij') == strings.quote('ABCDEFGHIJ abcdefghij')", 7, 11, 9],
  ["'abc 123 def 123'.replace('', 'x')", 3, 3, 3],
  ["['aa', 'bb', 'cc', 'd', 'e', 'f', 'g', 'h', 'i', 'j'].join(' ')", 11, 23, 15],
  ["authorizer.group('apps').resource('deployments').subresource('status').namespace('test').name('backend')", 6, 6, 6],
  ["authorizer.path('/healthz').check('get').allowed()", 350_003, 350_003, 350_003],
  ['quantity("12Mi")', 1, 1, 1],
  ['format.named("dns1123Subdomain").value().validate("my-name")', 34, 34, 17],
  ['format.named("dns1123Label").value() == format.named("dns1123Label").value()', 5, 11, 5],
  ['sets.contains([], [])', 21, 21, 21],
  ["{'a': 1, 'b': 2}.all(k, v, v > 0)", 37, 41, 41],
  ["{'a': 1, 'b': 2}.exists(k, v, v > 0)", 39, 43, 40],
  ["{'a': 1, 'b': 2}.existsOne(k, v, v > 0)", 38, 40, 40],
  ["{'a': 1, 'b': 2}.transformMap(k, v, v < 5, v + 1)", 67, 75, 75],
  ['[1, 2, 3, 4, 5].filter(x, x % 2 == 0)', 41, 101, 62],
  ['[1, 2, 3].all(i, i in [1, 2, 3].map(j, j + j))', 20, 230, 86],
];

/** Strings of up to twelve characters. */
const SHORT_TEXTS: SizeEstimator = ({ type }) =>
  type.kind === 'string' || type.kind === 'bytes' ? { min: 0, max: 12 } : undefined;

const ENVIRONMENT = kubernetesEnvironment()
  .with({ foldConstants: false })
  .extend({ variables: { authorizer: AUTHORIZER }, libraries: [JSON_PATCHES] });

const ALLOW_ALL = new CelAuthorizer({ authorize: () => ({ isAllowed: true, reason: '' }) });

describe('costs in the Kubernetes environment', () => {
  it.each(ROWS)('of %s are estimated as %d to %d and come to %d', (expression, min, max, actual) => {
    const compiled = ENVIRONMENT.compile(expression);
    if (!compiled.ok) throw new Error(compiled.issues[0]?.message);
    expect(compiled.cost(SHORT_TEXTS)).toEqual({ min, max });
    expect(compiled.program.evaluate({ authorizer: ALLOW_ALL }).cost).toBe(actual);
  });

  it('of literals are nothing where constants are folded', () => {
    const compiled = kubernetesEnvironment().compile("'b' in ['a', 'b'] && duration('1h') == duration('60m')");
    if (!compiled.ok) throw new Error(compiled.issues[0]?.message);
    expect(compiled.program.evaluate({})).toEqual({ value: true, cost: 1 });
  });

  it('end the evaluation at the limit, also where errors are absorbed', () => {
    const compiled = kubernetesEnvironment().compile('[1, 2, 3].all(x, [1, 2, 3].all(y, x + y > 0)) || true');
    if (!compiled.ok) throw new Error(compiled.issues[0]?.message);
    const result = compiled.program.evaluateSafely({}, { costLimit: 20 });
    expect('error' in result && result.error.message).toBe('operation cancelled: actual cost limit exceeded');
  });
});
