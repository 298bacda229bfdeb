import { conformanceTest } from '../support/conformance-test.ts';
import { exerciseApiOperations } from '../support/crud.ts';
import { kindOf } from '../support/kinds.ts';

const CONDITION = { type: 'E2E', status: 'True', reason: 'Test', message: 'set by a test' };

conformanceTest(
  '[sig-api-machinery] API priority and fairness should support FlowSchema API operations [Conformance]',
  async ({ api, unique }) => {
    const spec = {
      matchingPrecedence: 10_000,
      priorityLevelConfiguration: { name: 'global-default' },
      distinguisherMethod: { type: 'ByUser' },
    };
    await exerciseApiOperations(api, {
      kind: kindOf('flowcontrol.apiserver.k8s.io/v1', 'FlowSchema', 'flowschemas'),
      body: { spec },
      changed: { spec: { ...spec, matchingPrecedence: 9_999 } },
      status: { conditions: [CONDITION] },
      unique,
    });
  },
);

conformanceTest(
  '[sig-api-machinery] API priority and fairness should support PriorityLevelConfiguration API operations [Conformance]',
  async ({ api, unique }) => {
    const limited = (nominalConcurrencyShares: number) => ({
      type: 'Limited',
      limited: { nominalConcurrencyShares, limitResponse: { type: 'Reject' } },
    });
    await exerciseApiOperations(api, {
      kind: kindOf('flowcontrol.apiserver.k8s.io/v1', 'PriorityLevelConfiguration', 'prioritylevelconfigurations'),
      body: { spec: limited(2) },
      changed: { spec: limited(4) },
      status: { conditions: [CONDITION] },
      unique,
    });
  },
);

const RULES = {
  resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] }],
};

conformanceTest(
  '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should support ValidatingAdmissionPolicy API operations [Conformance]',
  async ({ api, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf('admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy', 'validatingadmissionpolicies'),
      body: {
        spec: {
          matchConstraints: RULES,
          failurePolicy: 'Ignore',
          validations: [{ expression: "object.metadata.name != 'never'", message: 'no' }],
        },
      },
      status: {
        conditions: [{ ...CONDITION, lastTransitionTime: '2026-01-01T00:00:00Z' }],
      },
      unique,
    });
  },
);

conformanceTest(
  '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should support ValidatingAdmissionPolicyBinding API operations [Conformance]',
  async ({ api, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf(
        'admissionregistration.k8s.io/v1',
        'ValidatingAdmissionPolicyBinding',
        'validatingadmissionpolicybindings',
      ),
      body: { spec: { policyName: unique('no-such-policy'), validationActions: ['Deny'] } },
      unique,
    });
  },
);

conformanceTest(
  '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should support MutatingAdmissionPolicy API operations [Conformance]',
  async ({ api, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf('admissionregistration.k8s.io/v1', 'MutatingAdmissionPolicy', 'mutatingadmissionpolicies'),
      body: {
        spec: {
          matchConstraints: RULES,
          failurePolicy: 'Ignore',
          reinvocationPolicy: 'Never',
          mutations: [
            {
              patchType: 'ApplyConfiguration',
              applyConfiguration: { expression: 'Object{metadata: Object.metadata{labels: {"a": "b"}}}' },
            },
          ],
        },
      },
      unique,
    });
  },
);

conformanceTest(
  '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should support MutatingAdmissionPolicyBinding API operations [Conformance]',
  async ({ api, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf(
        'admissionregistration.k8s.io/v1',
        'MutatingAdmissionPolicyBinding',
        'mutatingadmissionpolicybindings',
      ),
      body: { spec: { policyName: unique('no-such-policy') } },
      unique,
    });
  },
);
