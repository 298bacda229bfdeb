import { describe, expect, test } from 'vitest';
import type { UserInfo } from '../../pipeline/types.ts';
import { reviewQuestion } from './access-review-question.ts';

const user: UserInfo = { username: 'alice', groups: [] };

function question(resourceAttributes: object, more: { kind?: string; metadata?: object; spec?: object } = {}) {
  const { kind = 'SubjectAccessReview', metadata = {}, spec = {} } = more;
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind,
    metadata: metadata as { name: string },
    spec: { user: 'alice', resourceAttributes, ...spec },
  };
  return reviewQuestion(review, user);
}

describe('reviewQuestion', () => {
  test('reads selectors from their text', () => {
    const { attributes, evaluationError } = question({
      verb: 'list',
      resource: 'pods',
      fieldSelector: { rawSelector: 'spec.nodeName=n1,status.phase!=Failed' },
      labelSelector: { rawSelector: 'app in (web)' },
    });
    expect(attributes).toMatchObject({
      version: '*',
      fieldSelector: [
        { field: 'spec.nodeName', operator: '=', value: 'n1' },
        { field: 'status.phase', operator: '!=', value: 'Failed' },
      ],
      labelSelector: [{ key: 'app', operator: 'in', values: ['web'] }],
    });
    expect(evaluationError).toBe('');
  });

  test('reads selectors from requirements and leaves out what it does not know', () => {
    const { attributes, evaluationError } = question({
      fieldSelector: {
        requirements: [
          { key: 'spec.nodeName', operator: 'In', values: ['n1'] },
          { key: 'x', operator: 'Exists' },
        ],
      },
      labelSelector: { requirements: [{ key: 'app', operator: 'Resembles', values: ['web'] }] },
    });
    expect(attributes.fieldSelector).toEqual([{ field: 'spec.nodeName', operator: '=', value: 'n1' }]);
    expect(attributes).not.toHaveProperty('labelSelector');
    expect(evaluationError).toBe(
      'spec.resourceAttributes.fieldSelector partially ignored due to parse error; ' +
        'spec.resourceAttributes.labelSelector ignored due to parse error',
    );
  });

  test.each([
    [
      'a text and requirements',
      { fieldSelector: { rawSelector: 'a=b', requirements: [{ key: 'a' }] } },
      'may not spec',
    ],
    [
      'an empty selector',
      { labelSelector: {} },
      'spec.resourceAttributes.labelSelector.requirements: Required value: ' +
        'when spec.resourceAttributes.labelSelector is specified, requirements or rawSelector is required',
    ],
    [
      'a requirement without key',
      { fieldSelector: { requirements: [{ operator: 'In', values: ['a'] }] } },
      'spec.resourceAttributes.fieldSelector.requirements[0].key: Required value: must be specified',
    ],
    [
      'In without values',
      { fieldSelector: { requirements: [{ key: 'a', operator: 'In' }] } },
      "requirements[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
    ],
  ])('refuses %s', (_name, attributes, message) => {
    expect(() => question(attributes)).toThrow(message);
  });

  test('refuses a review that is named, that has no subject, or that is of another namespace', () => {
    expect(() => question({}, { metadata: { name: 'x' } })).toThrow('must be empty');
    expect(() => question({}, { spec: { user: '' } })).toThrow(
      'spec.user: Invalid value: "": at least one of user or group must be specified',
    );
    const local = { kind: 'LocalSubjectAccessReview', metadata: { namespace: 'a' } };
    expect(() => question({ namespace: 'b' }, local)).toThrow(
      'spec.resourceAttributes.namespace: Invalid value: "b": must match metadata.namespace',
    );
    expect(question({ namespace: 'a' }, local).attributes.namespace).toBe('a');
  });
});
