import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CERTIFICATE_SIGNING_REQUESTS, CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES } from '#api/generated/resources.ts';
import type { CertificateSigningRequest, PolicyRule } from '#api/generated/types.ts';
import { SAMPLE_REQUEST } from '#api/certificates/testing/samples.ts';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';

const group = 'certificates.k8s.io';
const alice = { username: 'alice', groups: ['dev', 'system:authenticated'], uid: '7' };

let cluster: Cluster;
beforeAll(async () => {
  cluster = await createCluster({ nodes: 0, controllers: [], scheduler: false });
});
afterAll(() => cluster.stop());

async function grant(name: string, rules: PolicyRule[]): Promise<void> {
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  await cluster.client.create(CLUSTER_ROLES, { apiVersion, kind: 'ClusterRole', metadata: { name }, rules });
  await cluster.client.create(CLUSTER_ROLE_BINDINGS, {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'alice' }],
  });
  await cluster.settle();
}

describe('certificate signing requests', () => {
  test('carry who asked, and need the right to approve for their signer', async () => {
    const resources = ['certificatesigningrequests', 'certificatesigningrequests/approval'];
    await grant('csr', [{ apiGroups: [group], resources, verbs: ['create', 'get', 'update'] }]);
    const client = cluster.clientFor(alice);
    const request: CertificateSigningRequest = {
      apiVersion: `${group}/v1`,
      kind: 'CertificateSigningRequest',
      metadata: { name: 'a' },
      spec: {
        request: Buffer.from(SAMPLE_REQUEST).toString('base64'),
        signerName: 'example.com/signer',
        usages: ['client auth'],
        username: 'mallory',
      },
    };
    const created = await client.create(CERTIFICATE_SIGNING_REQUESTS, request);
    expect(created.spec).toMatchObject({ username: 'alice', uid: '7', groups: ['dev', 'system:authenticated'] });
    const conditions = [{ type: 'Approved', status: 'True', reason: 'r', message: '' }];
    const approved = { ...created, status: { conditions } };
    const approve = () => client.update(CERTIFICATE_SIGNING_REQUESTS, approved, { subresource: 'approval' });
    await expect(approve()).rejects.toThrow(
      'certificatesigningrequests.certificates.k8s.io "a" is forbidden: user not permitted to approve requests with signerName "example.com/signer"',
    );
    await grant('signer', [
      { apiGroups: [group], resources: ['signers'], resourceNames: ['example.com/*'], verbs: ['approve'] },
    ]);
    const { status } = await approve();
    expect(status?.conditions).toMatchObject([{ type: 'Approved', lastUpdateTime: expect.any(String) }]);
  });
});
