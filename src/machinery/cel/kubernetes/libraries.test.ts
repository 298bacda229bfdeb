import { describe, expect, it } from 'vitest';
import { compilationErrorText } from '../errors.ts';
import { LazyStruct } from '../values/lazy-struct.ts';
import { toJson } from '../values/json.ts';
import { DYN, structType } from '../types/type.ts';
import { type AuthorizationQuery, CelAuthorizer, requestResourceCheck } from './authorizer.ts';
import { kubernetesEnvironment } from './environment.ts';
import { JSON_PATCHES, OBJECT_TYPES, objectNameProblem } from './object-types.ts';
import { AUTHORIZER, RESOURCE_CHECK } from './types.ts';

const QUANTITY_MESSAGE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const VARIABLES_TYPE = structType('kubernetes.variables');

const ENVIRONMENT = kubernetesEnvironment().extend({
  provider: {
    findType: (name) => (name === VARIABLES_TYPE.name ? VARIABLES_TYPE : OBJECT_TYPES.findType(name)),
    findField: (typeName, field) =>
      typeName === VARIABLES_TYPE.name ? { type: DYN } : OBJECT_TYPES.findField(typeName, field),
    construct: (typeName, fields) => OBJECT_TYPES.construct?.(typeName, fields),
  },
  libraries: [JSON_PATCHES],
  variables: {
    object: DYN,
    params: DYN,
    variables: VARIABLES_TYPE,
    authorizer: AUTHORIZER,
    'authorizer.requestResource': RESOURCE_CHECK,
  },
});

function run(source: string, activation: Readonly<Record<string, unknown>> = {}): unknown {
  const compiled = ENVIRONMENT.compile(source);
  if (!compiled.ok) return compilationErrorText(compiled.issues, source);
  const result = compiled.program.evaluateSafely(activation, { costLimit: 10_000_000 });
  return 'error' in result ? result.error.message : result.value;
}

describe('libraries of Kubernetes', () => {
  it.each([
    "quantity('1Gi').isGreaterThan(quantity('500Mi')) && quantity('0.2G') == quantity('200M')",
    "quantity('50k').add(20).sub(quantity('20')) == quantity('50k') && quantity('1.5').asApproximateFloat() == 1.5",
    "isQuantity('1.3Gi') && !isQuantity('1,3Gi') && quantity('50').isInteger() && quantity('-1').sign() == -1",
    "quantity('12').asInteger() == 12 && quantity('1').compareTo(quantity('2')) == -1",
    "ip('127.0.0.1').isLoopback() && ip('::1').family() == 6 && ip('fe80::1').isLinkLocalUnicast()",
    "ip.isCanonical('2001:db8::1') && !ip.isCanonical('2001:DB8::1') && isIP('10.0.0.1') && !isIP('10.0.0.256')",
    "ip('224.0.0.1').isLinkLocalMulticast() && !ip('224.0.0.1').isGlobalUnicast() && ip('0.0.0.0').isUnspecified()",
    "cidr('192.168.0.0/24').containsIP('192.168.0.7') && !cidr('192.168.0.0/24').containsIP(ip('192.168.1.7'))",
    "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))",
    "string(cidr('10.1.2.3/8').masked()) == '10.0.0.0/8' && cidr('10.1.2.3/8').ip() == ip('10.1.2.3')",
    "isCIDR('2001:db8::/32') && !isCIDR('10.0.0.0') && cidr('::/0').prefixLength() == 0 && type(ip('::')) == net.IP",
    "url('https://user@example.com:8080/a%20b?x=1&x=2&y=z').getHost() == 'example.com:8080'",
    "url('https://[::1]:8080/a').getHostname() == '::1' && url('https://[::1]:8080/a').getPort() == '8080'",
    "url('https://e.com/?x=1&x=2').getQuery() == {'x': ['1', '2']} && url('/a b').getEscapedPath() == '/a%20b'",
    "isURL('https://example.com:80/') && !isURL('../relative') && url('mailto:a').getScheme() == 'mailto'",
    "'abc 123 def 456'.find('[0-9]+') == '123' && 'abc 123 def 456'.findAll('[0-9]+') == ['123', '456']",
    "'1a2'.findAll('[0-9]', 1) == ['1'] && 'x'.find('y') == '' && 'x'.findAll('y') == []",
    "[1, 3, 2].isSorted() == false && [1, 2].sum() == 3 && ['b', 'a'].min() == 'a' && [1, 2, 1].lastIndexOf(1) == 2",
    '[3, 1, 2].sort() == [1, 2, 3] && [[1], [2]].flatten() == [1, 2] && [1, 1].distinct() == [1]',
    "[1, 2, 3].slice(1, 2) == [2] && lists.range(3) == [0, 1, 2] && ['b', 'aa'].sortBy(x, x.size()) == ['b', 'aa']",
    "format.dns1123Label().validate('ok') == optional.none() && format.uuid().validate('x').value() == ['does not match the UUID format']",
    "format.named('nothing').hasValue() == false && !format.named('date').value().validate('2024-02-30').orValue([]).isSorted() == false",
    "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-alpha.1').compareTo(semver('1.0.0')) == -1",
    "isSemver('v1.0', true) && !isSemver('v1.0') && semver('v1.2', true).minor() == 2 && semver('01.02.03', true).patch() == 3",
    "'a-b'.split('-').join('+') == 'a+b' && 'aXb'.lowerAscii() == 'axb' && 'hello'.substring(1, 3) == 'el'",
    "'tacocat'.indexOf('a', 2) == 5 && 'abab'.replace('a', 'c', 1) == 'cbab' && strings.quote('a\\n') == '\"a\\\\n\"'",
    'sets.equivalent([1, 2], [2, 1, 1]) && sets.intersects([1], [1, 2]) && !sets.contains([1], [2])',
    "jsonpatch.escapeKey('a/b~c') == 'a~1b~0c'",
  ])('%s', (source) => {
    expect(run(source)).toBe(true);
  });

  it.each([
    ['quantity(object.x).isInteger()', QUANTITY_MESSAGE],
    [
      'ip(object.x)',
      'IP Address "bad" parse error during conversion from string: ParseAddr("bad"): unable to parse IP',
    ],
    ["ip('::ffff:1.2.3.4')", 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'],
    ['url(object.x)', 'URL parse error during conversion from string: parse "bad": invalid URI for request'],
    ['[].max() == 1', 'max called on empty list'],
    ['[1, 2].slice(0, 5)', 'cannot slice(0, 5), list is length 2'],
    ['semver(object.x)', 'No Major.Minor.Patch elements found'],
    ["'abc'.substring(2, 9)", 'index out of range: 9'],
  ])('%s fails: %s', (source, message) => {
    expect(run(source, { object: { x: 'bad' } })).toBe(message);
  });
});

describe('the authorizer', () => {
  it('asks what the expression says', () => {
    const asked: AuthorizationQuery[] = [];
    const authorizer = new CelAuthorizer({
      authorize: (query) => {
        asked.push(query);
        return { isAllowed: query.verb === 'create', reason: 'because' };
      },
    });
    const requestResource = requestResourceCheck(authorizer, { group: 'apps', resource: 'deployments', name: 'web' });
    const activation = { authorizer, 'authorizer.requestResource': requestResource };
    expect(run("authorizer.group('').resource('pods').namespace('a').check('create').allowed()", activation)).toBe(
      true,
    );
    expect(run("authorizer.requestResource.check('delete').reason()", activation)).toBe('because');
    const source = "authorizer.serviceAccount('ns', 'sa').path('/healthz').check('get').errored()";
    expect(run(source, activation)).toBe(false);
    expect(asked).toMatchObject([
      { verb: 'create', resource: { group: '', resource: 'pods', namespace: 'a', name: '' } },
      { verb: 'delete', resource: { group: 'apps', resource: 'deployments', name: 'web' } },
      { verb: 'get', path: '/healthz', serviceAccount: { namespace: 'ns', name: 'sa' } },
    ]);
  });

  it('allows two checks in one expression', () => {
    const check = "authorizer.path('/a').check('get').allowed()";
    const compiled = ENVIRONMENT.compile(`${check} || ${check} || ${check}`);
    const authorizer = new CelAuthorizer({ authorize: () => ({ isAllowed: false, reason: '' }) });
    const result = compiled.ok ? compiled.program.evaluateSafely({ authorizer }) : undefined;
    expect(result).toMatchObject({ error: { message: 'operation cancelled: actual cost limit exceeded' } });
  });
});

describe('variables of a policy', () => {
  it('are computed when they are read, and once', () => {
    let count = 0;
    const variables = new LazyStruct(
      VARIABLES_TYPE.name,
      new Map([
        ['x', () => ++count],
        ['y', () => ++count],
      ]),
    );
    expect(
      run('variables.x == 1 && variables.x == 1 && params.y == variables.x', { variables, params: { y: 1 } }),
    ).toBe(true);
    expect(count).toBe(1);
  });
});

describe('typed objects', () => {
  it('become JSON', () => {
    const source =
      'Object{spec: Object.spec{replicas: object.n + 1, ?paused: optional.none(), list: [Object.spec.list{a: 1}]}}';
    const value = run(source, { object: { n: 2 } });
    expect(toJson(value)).toEqual({ spec: { replicas: 3, list: [{ a: 1 }] } });
    expect(objectNameProblem(value)).toBeUndefined();
  });

  it('tell where a name does not fit', () => {
    expect(objectNameProblem(run('Object{spec: Object.other{a: 1}}'))).toBe(
      'unexpected type name "Object.other", expected "Object.spec", which matches field name path from root Object type',
    );
  });

  it('make JSON patches', () => {
    const source = "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b'), value: {'c': 1.0}}]";
    expect(toJson(run(source))).toEqual([{ op: 'add', path: '/metadata/labels/a~1b', value: { c: 1 } }]);
    expect(run("JSONPatch{operation: 'add'}")).toMatch(/undefined field 'operation'/);
  });
});
