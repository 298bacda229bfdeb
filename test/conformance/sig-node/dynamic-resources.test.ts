import { conformanceTest } from '../support/conformance-test.ts';
import { exerciseApiOperations } from '../support/crud.ts';
import { kindOf } from '../support/kinds.ts';

const GROUP = 'resource.k8s.io/v1';
const CLAIM_SPEC = {
  devices: {
    requests: [{ name: 'req-0', exactly: { deviceClassName: 'example', allocationMode: 'ExactCount', count: 1 } }],
  },
};

conformanceTest('[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 DeviceClass [Conformance]', async ({ api, unique }) => {
  const spec = { selectors: [{ cel: { expression: 'device.driver == "example.com"' } }] };
  await exerciseApiOperations(api, {
    kind: kindOf(GROUP, 'DeviceClass', 'deviceclasses'),
    body: { spec },
    changed: { spec: {} },
    unique,
  });
});

conformanceTest(
  '[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaim [Conformance]',
  async ({ api, namespace, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf(GROUP, 'ResourceClaim', 'resourceclaims'),
      namespace,
      body: { spec: CLAIM_SPEC },
      unique,
    });
  },
);

conformanceTest(
  '[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaimTemplate [Conformance]',
  async ({ api, namespace, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf(GROUP, 'ResourceClaimTemplate', 'resourceclaimtemplates'),
      namespace,
      body: { spec: { spec: CLAIM_SPEC } },
      unique,
    });
  },
);

conformanceTest(
  '[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceSlice [Conformance]',
  async ({ api, unique }) => {
    const pool = { name: unique('pool'), generation: 1, resourceSliceCount: 1 };
    await exerciseApiOperations(api, {
      kind: kindOf(GROUP, 'ResourceSlice', 'resourceslices'),
      body: { spec: { driver: 'example.com', pool, allNodes: true, devices: [{ name: 'dev-0' }] } },
      unique,
    });
  },
);
