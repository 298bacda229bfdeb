import { describe, expect, test } from 'vitest';
import { FeatureGates, parseFeatureGates } from './feature-gates.ts';
import { parseRuntimeConfig, servedResources } from './runtime-config.ts';

describe('FeatureGates', () => {
  test('have the defaults of 1.36, and what is set', () => {
    const gates = new FeatureGates({ CBORServingAndStorage: true, WatchList: false });
    expect(gates.isEnabled('CBORServingAndStorage')).toBe(true);
    expect(gates.isEnabled('WatchList')).toBe(false);
    expect(gates.isEnabled('OpenAPIEnums')).toBe(true);
    expect(gates.isEnabled('ClusterTrustBundle')).toBe(false);
    expect(new FeatureGates().list().map(({ name }) => name)).toContain('StorageVersionHash');
  });

  test('AllAlpha and AllBeta move every gate of their stage that is not named', () => {
    const gates = new FeatureGates({ AllAlpha: true, AllBeta: true, GenericWorkload: false });
    expect(gates.isEnabled('StorageVersionAPI')).toBe(true);
    expect(gates.isEnabled('ClusterTrustBundle')).toBe(true);
    expect(gates.isEnabled('GenericWorkload')).toBe(false);
  });

  test.each([
    ['Foo=true', 'unrecognized feature gate: Foo'],
    ['WatchList', 'missing bool value for WatchList'],
    ['WatchList=yes', 'invalid value of WatchList: yes, err: strconv.ParseBool: parsing "yes": invalid syntax'],
    ['NodeSwap=false', 'cannot set feature gate NodeSwap to false, feature is locked to true'],
  ])('%s is refused', (text, message) => {
    expect(() => new FeatureGates(parseFeatureGates(text))).toThrow(message);
  });

  test('a component may be named', () => {
    expect(parseFeatureGates('kube:WatchList=false, NodeSwap=1')).toEqual({ WatchList: false, NodeSwap: true });
  });
});

describe('--runtime-config', () => {
  const rows = ['v1', 'v1beta1', 'v1alpha1'].flatMap((version) =>
    ['ones', 'others'].map((resource) => ({ group: 'a.io', version, resource })),
  );
  const served = (text: string) =>
    servedResources(rows, { runtimeConfig: parseRuntimeConfig(text), gates: new FeatureGates() }).map(
      ({ version, resource }) => `${version}/${resource}`,
    );

  test.each([
    ['', ['v1/ones', 'v1/others']],
    ['api/beta=true', ['v1/ones', 'v1/others', 'v1beta1/ones', 'v1beta1/others']],
    ['api/all=true,a.io/v1alpha1=false', ['v1/ones', 'v1/others', 'v1beta1/ones', 'v1beta1/others']],
    ['api/all=false,a.io/v1/ones', ['v1/ones']],
    ['a.io/v1beta1/ones=true,a.io/v1=false', ['v1beta1/ones']],
  ])('"%s"', (text, expected) => {
    expect(served(text)).toEqual(expected);
  });

  test.each([
    ['api/all=false', 'invalid key with only api/all=false'],
    ['api/beta=maybe', 'invalid value api/beta=maybe'],
    ['b.io/v1=true', 'unknown api groups b.io'],
    ['a.io=true', 'runtime-config invalid key a.io'],
    ['a.io/v9=true', 'group version a.io/v9 that has not been registered'],
    ['a.io/v1=maybe', 'invalid value of a.io/v1: maybe, err: strconv.ParseBool: parsing "maybe": invalid syntax'],
    [
      'a.io/v1/Ones=true',
      'invalid key a.io/v1/Ones: group/version/resource and resource is always lowercase plural, not "Ones"',
    ],
  ])('"%s" is refused', (text, message) => {
    expect(() => served(text)).toThrow(message);
  });
});
