import { describe, expect, test } from 'vitest';
import type { KubeObject } from '#machinery/meta/types.ts';
import { createErrors, defaulted, row, update } from '../../testing/kit.ts';

const object = (kind: string, fields: object): KubeObject => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind,
  metadata: { name: 'a' },
  ...fields,
});
const rule = { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] };
const hook = {
  name: 'a.b.c',
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  clientConfig: { url: 'https://example.com/x' },
  rules: [rule],
};
const webhooks = (change: object = {}) =>
  object('ValidatingWebhookConfiguration', { webhooks: [{ ...hook, ...change }] });
const withRule = (change: object) => webhooks({ rules: [{ ...rule, ...change }] });
const service = (fields: object) => webhooks({ clientConfig: { service: { name: 's', namespace: 'n', ...fields } } });

describe('webhook configurations', () => {
  const cases: [string, KubeObject, string[]][] = [
    ['a valid one', webhooks(), []],
    [
      'a short name',
      webhooks({ name: 'a.b' }),
      ['webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments separated by dots'],
    ],
    [
      'two of one name',
      object('ValidatingWebhookConfiguration', { webhooks: [hook, hook] }),
      ['webhooks[1].name: Duplicate value: "a.b.c"'],
    ],
    [
      'side effects',
      webhooks({ sideEffects: 'Some' }),
      ['webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'],
    ],
    [
      'a long timeout',
      webhooks({ timeoutSeconds: 31 }),
      ['webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds'],
    ],
    [
      'no client',
      webhooks({ clientConfig: {} }),
      ['webhooks[0].clientConfig: Required value: exactly one of url or service is required'],
    ],
    [
      'plain HTTP',
      webhooks({ clientConfig: { url: 'http://example.com' } }),
      [
        `webhooks[0].clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
      ],
    ],
    [
      'a query',
      webhooks({ clientConfig: { url: 'https://example.com/?a=b' } }),
      ['webhooks[0].clientConfig.url: Invalid value: "a=b": query parameters are not permitted in the URL'],
    ],
    [
      'a path of a service that is no path',
      service({ path: '/x//y' }),
      ['webhooks[0].clientConfig.service.path: Invalid value: "/x//y": segment[1] may not be empty'],
    ],
    [
      'versions of reviews that nobody knows',
      webhooks({ admissionReviewVersions: ['v3'] }),
      ['webhooks[0].admissionReviewVersions: Invalid value: ["v3"]: must include at least one of v1, v1beta1'],
    ],
    [
      'no versions of reviews',
      webhooks({ admissionReviewVersions: [] }),
      ['webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1'],
    ],
    ['no operations', withRule({ operations: [] }), ['webhooks[0].rules[0].operations: Required value']],
    [
      'every operation and one',
      withRule({ operations: ['*', 'CREATE'] }),
      [
        `webhooks[0].rules[0].operations: Invalid value: ["*","CREATE"]: if '*' is present, must not specify other operations`,
      ],
    ],
    [
      'what a wildcard covers',
      withRule({ resources: ['pods/*', 'pods/status'] }),
      [
        `webhooks[0].rules[0].resources[1]: Invalid value: "pods/status": if 'pods/*' is present, must not specify pods/status`,
      ],
    ],
    [
      'an unknown scope',
      withRule({ scope: 'All' }),
      ['webhooks[0].rules[0].scope: Unsupported value: "All": supported values: "*", "Cluster", "Namespaced"'],
    ],
    [
      'an empty condition',
      webhooks({ matchConditions: [{ name: 'a', expression: ' ' }] }),
      ['webhooks[0].matchConditions[0].expression: Required value'],
    ],
  ];
  test.each(cases)('%s', (_name, given, errors) => {
    expect(createErrors(given)).toEqual(errors);
  });

  test('are completed', () => {
    expect(defaulted(webhooks())).toMatchObject({
      webhooks: [{ failurePolicy: 'Fail', matchPolicy: 'Equivalent', timeoutSeconds: 10, namespaceSelector: {} }],
    });
  });

  test('may keep side effects that they had', () => {
    const before = webhooks({ sideEffects: 'Some' });
    expect(update(before, (next) => Object.assign(next.metadata, { labels: { a: 'b' } })).errors).toEqual([]);
  });
});

const constraints = { resourceRules: [rule] };
const policy = (spec: object) =>
  object('ValidatingAdmissionPolicy', { spec: { matchConstraints: constraints, ...spec } });
const valid = { validations: [{ expression: 'true' }] };
const binding = (spec: object) =>
  object('ValidatingAdmissionPolicyBinding', { spec: { policyName: 'p', validationActions: ['Deny'], ...spec } });
const mutating = (spec: object) =>
  object('MutatingAdmissionPolicy', {
    spec: {
      matchConstraints: constraints,
      reinvocationPolicy: 'Never',
      mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression: '[JSONPatch{op: "remove", path: "/x"}]' } }],
      ...spec,
    },
  });

describe('admission policies', () => {
  test.each([
    ['a validating one', policy(valid), []],
    [
      'one without rules',
      policy({}),
      [
        'spec.validations: Required value: validations or auditAnnotations must contain at least one item',
        'spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item',
      ],
    ],
    [
      'one that matches nothing',
      object('ValidatingAdmissionPolicy', { spec: valid }),
      ['spec.matchConstraints: Required value'],
    ],
    [
      'an empty expression',
      policy({ validations: [{ expression: '' }] }),
      ['spec.validations[0].expression: Required value: expression is not specified'],
    ],
    [
      'a message of two lines',
      policy({ validations: [{ expression: 'true', message: 'a\nb' }] }),
      ['spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks'],
    ],
    [
      'an unknown reason',
      policy({ validations: [{ expression: 'true', reason: 'Nope' }] }),
      [
        'spec.validations[0].reason: Unsupported value: "Nope": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"',
      ],
    ],
    [
      'a variable that is no name',
      policy({ ...valid, variables: [{ name: 'for', expression: '1' }] }),
      ['spec.variables[0].name: Invalid value: "for": name is not a valid CEL identifier'],
    ],
    [
      'a parameter without a kind',
      policy({ ...valid, paramKind: { apiVersion: 'v1' } }),
      ['spec.paramKind.kind: Required value'],
    ],
    [
      'a reference to what is not there',
      policy({ validations: [{ expression: 'params.x == 1' }] }),
      [
        `spec.validations[0].expression: Invalid value: "params.x == 1": compilation failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')\n | params.x == 1\n | ^`,
      ],
    ],
    [
      'an expression that is no condition',
      policy({ validations: [{ expression: '1' }] }),
      ['spec.validations[0].expression: Invalid value: "1": must evaluate to bool but got int'],
    ],
    [
      'an unknown field of the request',
      policy({ ...valid, matchConditions: [{ name: 'a', expression: 'request.nope == 1' }] }),
      [
        `spec.matchConditions[0].expression: Invalid value: "request.nope == 1": compilation failed: ERROR: <input>:1:8: undefined field 'nope'\n | request.nope == 1\n | .......^`,
      ],
    ],
    [
      'variables that see each other in order',
      policy({
        variables: [
          { name: 'a', expression: 'object.x' },
          { name: 'b', expression: 'variables.a + 1 > 2' },
        ],
        validations: [{ expression: 'variables.b', messageExpression: "'no ' + object.metadata.name" }],
        auditAnnotations: [{ key: 'k', valueExpression: "variables.b ? 'yes' : 'no'" }],
      }),
      [],
    ],
    [
      'an applied configuration',
      mutating({
        mutations: [
          {
            patchType: 'ApplyConfiguration',
            applyConfiguration: { expression: 'Object{metadata: Object.metadata{labels: {"a": "b"}}}' },
          },
        ],
      }),
      [],
    ],
    [
      'a JSON patch',
      mutating({
        mutations: [
          {
            patchType: 'JSONPatch',
            jsonPatch: { expression: "[JSONPatch{op: 'add', path: '/metadata/labels', value: {'a': 'b'}}]" },
          },
        ],
      }),
      [],
    ],
    ['a binding', binding({}), []],
    [
      'a binding without actions',
      binding({ validationActions: [] }),
      ['spec.validationActions: Required value: at least one validation action is required'],
    ],
    [
      'a binding that denies and warns',
      binding({ validationActions: ['Deny', 'Warn'] }),
      [
        'spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ],
    ],
    [
      'a binding to no parameter',
      binding({ paramRef: { parameterNotFoundAction: 'Deny' } }),
      ['spec.paramRef: Required value: one of name or selector must be specified'],
    ],
    ['a mutating one', mutating({}), []],
    [
      'a mutating one without mutations',
      mutating({ mutations: [] }),
      ['spec.mutations: Required value: mutations must contain at least one item'],
    ],
    [
      'a patch of another type',
      mutating({ mutations: [{ patchType: 'ApplyConfiguration', jsonPatch: { expression: '[]' } }] }),
      [
        'spec.mutations[0].applyConfiguration: Required value: must be specified when patchType is ApplyConfiguration',
        'spec.mutations[0].jsonPatch: Invalid value: "{jsonPatch}": must not be specified when patchType is ApplyConfiguration',
      ],
    ],
  ])('%s', (_name, given, errors) => {
    expect(createErrors(given)).toEqual(errors);
  });

  test('are shown with what parameterizes them', () => {
    expect(
      row(policy({ ...valid, paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } }), { nowMs: 0 }).slice(0, 3),
    ).toEqual(['a', 1, 'v1/ConfigMap']);
    expect(row(binding({ paramRef: { name: 'x', parameterNotFoundAction: 'Deny' } }), { nowMs: 0 })[2]).toBe('*/x');
  });
});
