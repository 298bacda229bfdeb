import { describe, expect, test } from 'vitest';
import type { KubeObject } from '#machinery/meta/types.ts';
import { createErrors, defaulted, row } from '../../testing/kit.ts';
import { MANDATORY_LEVELS, MANDATORY_SCHEMAS, SUGGESTED_LEVELS, SUGGESTED_SCHEMAS } from './bootstrap.ts';

const object = (kind: string, spec: object, name = 'a'): KubeObject & { spec: object } => ({
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind,
  metadata: { name },
  spec,
});
const resourceRule = { verbs: ['get'], apiGroups: [''], resources: ['pods'], namespaces: ['*'] };
const rule = { subjects: [{ kind: 'User', user: { name: 'u' } }], resourceRules: [resourceRule] };
const schema = (spec: object = {}) =>
  object('FlowSchema', { priorityLevelConfiguration: { name: 'system' }, rules: [rule], ...spec });
const withRule = (change: object) => schema({ rules: [{ ...rule, ...change }] });
const limited = (change: object) =>
  object('PriorityLevelConfiguration', { type: 'Limited', limited: { limitResponse: { type: 'Reject' }, ...change } });

describe('flow control', () => {
  test.each(
    [...MANDATORY_LEVELS, ...SUGGESTED_LEVELS, ...MANDATORY_SCHEMAS, ...SUGGESTED_SCHEMAS].map(
      (one) => [one.metadata.name ?? '', one] as const,
    ),
  )('the %s of every cluster is complete and valid', (_name, one) => {
    expect(createErrors(one)).toEqual([]);
    expect(defaulted<KubeObject>(one)).toMatchObject({ spec: one.spec });
  });

  test.each([
    ['a schema', schema(), []],
    [
      'the first place',
      schema({ matchingPrecedence: 1 }),
      ["spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"],
    ],
    [
      'a place too far',
      schema({ matchingPrecedence: 10_001 }),
      ['spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000'],
    ],
    [
      'no level',
      schema({ priorityLevelConfiguration: { name: '' } }),
      ['spec.priorityLevelConfiguration.name: Required value: must reference a priority level'],
    ],
    [
      'nobody',
      withRule({ subjects: [] }),
      ['spec.rules[0].subjects: Required value: subjects must contain at least one value'],
    ],
    [
      'a user who is a group',
      withRule({ subjects: [{ kind: 'User', user: { name: 'u' }, group: { name: 'g' } }] }),
      ["spec.rules[0].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'"],
    ],
    [
      'nothing',
      withRule({ resourceRules: [] }),
      ['spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty'],
    ],
    [
      'no namespace',
      withRule({ resourceRules: [{ ...resourceRule, namespaces: [] }] }),
      [
        'spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace',
      ],
    ],
    [
      'a path with a star inside',
      withRule({ nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/a*b'] }] }),
      [
        'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "/a*b": wildcard can only do suffix matching',
      ],
    ],
    ['a level', limited({}), []],
    [
      'a level without a type',
      object('PriorityLevelConfiguration', { type: 'Exempt' }),
      [`spec.type: Invalid value: "Exempt": type must be 'Exempt' if and only if name is 'exempt'`],
    ],
    [
      'a level that queues nowhere',
      limited({ limitResponse: { type: 'Queue' } }),
      [
        'spec.limited.limitResponse.queuing: Required value: must not be empty if limited.limitResponse.type is Limited',
      ],
    ],
    [
      'a hand larger than the deck',
      limited({ limitResponse: { type: 'Queue', queuing: { queues: 4, handSize: 5, queueLengthLimit: 1 } } }),
      ['spec.limited.limitResponse.queuing.handSize: Invalid value: 5: should not be greater than queues (4)'],
    ],
    [
      'a hand that takes too many bits',
      limited({ limitResponse: { type: 'Queue', queuing: { queues: 1000, handSize: 10, queueLengthLimit: 1 } } }),
      [
        'spec.limited.limitResponse.queuing.handSize: Invalid value: 10: required entropy bits of deckSize 1000 and handSize 10 should not be greater than 60',
      ],
    ],
  ])('%s', (_name, given, errors) => {
    expect(createErrors(given)).toEqual(errors);
  });

  test('a schema is shown with its level', () => {
    expect(row(defaulted(schema()), { nowMs: 0 }).slice(0, 4)).toEqual(['a', 'system', 1000, '<none>']);
  });
});

describe('APIService', () => {
  const service = (spec: object, name = 'v1.a.io'): KubeObject & { spec: object } => ({
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name },
    spec: { group: 'a.io', version: 'v1', groupPriorityMinimum: 100, versionPriority: 15, ...spec },
  });
  test.each([
    ['a local one', service({}), []],
    [
      'another name',
      service({}, 'v2.a.io'),
      ['metadata.name: Invalid value: "v2.a.io": must be `spec.version+"."+spec.group`: "v1.a.io"'],
    ],
    [
      'no priority',
      service({ groupPriorityMinimum: 0 }),
      ['spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000'],
    ],
    [
      'a certificate that is not looked at',
      service({ service: { name: 's', namespace: 'n' }, insecureSkipTLSVerify: true, caBundle: 'eA==' }),
      ['spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present'],
    ],
  ])('%s', (_name, given, errors) => {
    expect(createErrors(given)).toEqual(errors);
  });
});
