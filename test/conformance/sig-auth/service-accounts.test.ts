import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import { CONFIG_MAPS, PODS, SERVICE_ACCOUNTS } from '../support/kinds.ts';
import { podOf } from '../support/workloads.ts';

const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';

conformanceTest(
  '[sig-auth] ServiceAccounts should allow opting out of API token automount [Conformance]',
  async ({ api, namespace }) => {
    const accounts = api.of(SERVICE_ACCOUNTS, namespace);
    await accounts.create({ metadata: { name: 'mount' }, automountServiceAccountToken: true });
    await accounts.create({ metadata: { name: 'nomount' }, automountServiceAccountToken: false });
    const cases = [
      ['default', undefined, true],
      ['default', true, true],
      ['default', false, false],
      ['mount', undefined, true],
      ['mount', true, true],
      ['mount', false, false],
      ['nomount', undefined, false],
      ['nomount', true, true],
      ['nomount', false, false],
    ] as const;
    for (const [account, automount, isMounted] of cases) {
      const name = `pod-${account}-${String(automount ?? 'default')}`;
      const pod = await api.of(PODS, namespace).create(
        podOf(name, {
          spec: {
            serviceAccountName: account,
            ...(automount === undefined ? {} : { automountServiceAccountToken: automount }),
          },
        }),
      );
      const mounts = pod.spec?.containers[0]?.volumeMounts?.map(({ mountPath }) => mountPath) ?? [];
      expect(mounts.includes(TOKEN_PATH), name).toBe(isMounted);
    }
  },
);

conformanceTest(
  '[sig-auth] ServiceAccounts should run through the lifecycle of a ServiceAccount [Conformance]',
  async ({ api, namespace, unique }) => {
    const accounts = api.of(SERVICE_ACCOUNTS, namespace);
    const label = unique('static');
    const watch = await accounts.watch({ labelSelector: `test-serviceaccount-static=${label}` });
    await accounts.create({
      metadata: { name: 'testserviceaccount', labels: { 'test-serviceaccount-static': label } },
    });
    await watch.until(({ type }) => type === 'ADDED');
    await accounts.patch('testserviceaccount', { automountServiceAccountToken: false }, { type: 'strategic' });
    const changed = await watch.until(({ type }) => type === 'MODIFIED');
    expect(changed.object.automountServiceAccountToken).toBe(false);
    const all = await api.of(SERVICE_ACCOUNTS).list({ labelSelector: `test-serviceaccount-static=${label}` });
    expect(all.items.map(({ metadata }) => metadata?.name)).toEqual(['testserviceaccount']);
    await accounts.deleteAll({ labelSelector: `test-serviceaccount-static=${label}` });
    await watch.until(({ type }) => type === 'DELETED');
  },
);

conformanceTest(
  '[sig-auth] ServiceAccounts should update a ServiceAccount [Conformance]',
  async ({ api, namespace }) => {
    const accounts = api.of(SERVICE_ACCOUNTS, namespace);
    const created = await accounts.create({ metadata: { name: 'e2e-sa' }, automountServiceAccountToken: false });
    expect(created.automountServiceAccountToken).toBe(false);
    const updated = await accounts.change('e2e-sa', (account) => {
      account.automountServiceAccountToken = true;
    });
    expect(updated.automountServiceAccountToken).toBe(true);
  },
);

conformanceTest(
  '[sig-auth] ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace [Conformance]',
  async ({ api, namespace }) => {
    const maps = api.of(CONFIG_MAPS, namespace);
    const original = await maps.get('kube-root-ca.crt');
    expect(original.data?.['ca.crt']).toContain('BEGIN CERTIFICATE');
    await maps.delete('kube-root-ca.crt');
    await eventually(
      'it is made again',
      () => maps.get('kube-root-ca.crt'),
      ({ data }) => data?.['ca.crt'] !== undefined,
    );
    await maps.change('kube-root-ca.crt', (map) => {
      map.data = { 'ca.crt': '' };
    });
    await eventually(
      'it is put right again',
      () => maps.get('kube-root-ca.crt'),
      ({ data }) => data?.['ca.crt'] === original.data?.['ca.crt'],
    );
  },
);

conformanceTest(
  '[sig-auth] ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview [Conformance]',
  async ({ api, namespace, after }) => {
    const accounts = api.of(SERVICE_ACCOUNTS, namespace);
    const account = await accounts.create({ metadata: { name: 'e2e-sa' } });
    const request = await api.call<{ status: { token: string; expirationTimestamp: string } }>(
      'POST',
      accounts.path('e2e-sa', 'token'),
      {
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          metadata: { name: 'e2e-sa', namespace },
          spec: {},
        },
      },
    );
    const { token } = request.status;
    const review = await api.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } },
    });
    expect(review).toMatchObject({
      status: {
        authenticated: true,
        user: {
          username: `system:serviceaccount:${namespace}:e2e-sa`,
          uid: account.metadata?.uid,
          groups: expect.arrayContaining(['system:serviceaccounts', `system:serviceaccounts:${namespace}`]),
        },
      },
    });
    const bearer = api.as(token);
    after(async () => bearer.close());
    const self = await bearer.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    });
    expect(self).toMatchObject({ status: { userInfo: { username: `system:serviceaccount:${namespace}:e2e-sa` } } });
  },
);

conformanceTest(
  '[sig-auth] SubjectReview should support SubjectReview API operations [Conformance]',
  async ({ api, namespace }) => {
    const resourceAttributes = { namespace, verb: 'list', resource: 'pods', version: 'v1' };
    const user = `system:serviceaccount:${namespace}:e2e`;
    const ask = (kind: string, path: string, spec: object, metadata = {}) =>
      api.call<{ status: { allowed: boolean } }>('POST', `/apis/authorization.k8s.io/v1/${path}`, {
        body: { apiVersion: 'authorization.k8s.io/v1', kind, metadata, spec },
      });
    await api.of(SERVICE_ACCOUNTS, namespace).create({ metadata: { name: 'e2e' } });
    const subject = await ask('SubjectAccessReview', 'subjectaccessreviews', { resourceAttributes, user });
    expect(subject.status.allowed).toBe(false);
    const local = await ask(
      'LocalSubjectAccessReview',
      `namespaces/${namespace}/localsubjectaccessreviews`,
      { resourceAttributes, user },
      { namespace },
    );
    expect(local.status.allowed).toBe(false);
    const self = await ask('SelfSubjectAccessReview', 'selfsubjectaccessreviews', { resourceAttributes });
    expect(self.status.allowed).toBe(true);
  },
);
