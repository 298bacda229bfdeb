import { describe, expect, test } from 'vitest';
import type { KubeObject } from '#machinery/meta/types.ts';
import { FakeViews } from '../fake-views.ts';
import { QuotaCheck } from './resource-quota.ts';

const PODS = { group: '', resource: 'pods' };

function pod(name: string, requests: Record<string, string> = {}, fields: object = {}): KubeObject {
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name, namespace: 'a' },
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests } }] },
    ...fields,
  } as KubeObject;
}

function setUp(hard: Record<string, string>, spec: object = {}) {
  const views = new FakeViews();
  const quota = { kind: 'ResourceQuota', apiVersion: 'v1', metadata: { name: 'q', namespace: 'a' } };
  views.put('', 'resourcequotas', { ...quota, spec: { hard, ...spec } } as KubeObject);
  const check = new QuotaCheck(views.view);
  const hook = check.hookFor(PODS);
  const create = (object: KubeObject) => hook({ operation: 'CREATE', object, dryRun: false });
  return { views, check, create };
}

describe('QuotaCheck', () => {
  test('counts stored pods and writes under way, and forgets those that failed', () => {
    const { views, create } = setUp({ pods: '2', 'requests.cpu': '1' });
    views.put('', 'pods', pod('one', { cpu: '400m' }));
    const second = create(pod('two', { cpu: '400m' }));
    expect(() => create(pod('three', { cpu: '400m' }))).toThrow(
      'pods "three" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=400m, ' +
        'used: pods=2,requests.cpu=800m, limited: pods=2,requests.cpu=1',
    );
    second?.('failed');
    const third = create(pod('three', { cpu: '400m' }));
    views.put('', 'pods', pod('three', { cpu: '400m' }));
    third?.('committed');
    expect(() => create(pod('four', { cpu: '1m' }))).toThrow('exceeded quota');
  });

  test('asks for the amounts it limits', () => {
    const { create } = setUp({ 'requests.cpu': '1', 'limits.memory': '1Gi' });
    expect(() => create(pod('one', { cpu: '1m' }))).toThrow(
      'pods "one" is forbidden: failed quota: q: must specify limits.memory for: c',
    );
  });

  test('does not count pods that ended, nor those out of its scope', () => {
    const { views, create } = setUp({ pods: '1' }, { scopes: ['BestEffort'] });
    views.put('', 'pods', pod('ended', {}, { status: { phase: 'Succeeded' } }));
    views.put('', 'pods', pod('burstable', { cpu: '1' }));
    create(pod('first'))?.('failed');
    create(pod('other', { cpu: '1' }));
    views.put('', 'pods', pod('best'));
    expect(() => create(pod('second'))).toThrow('exceeded quota');
  });

  test('counts other resources by count/', () => {
    const { views, check } = setUp({ 'count/deployments.apps': '1' });
    const deployments = { group: 'apps', resource: 'deployments' };
    const deployment = { kind: 'Deployment', apiVersion: 'apps/v1', metadata: { name: 'd', namespace: 'a' } };
    const hook = check.hookFor(deployments);
    hook({ operation: 'CREATE', object: deployment, dryRun: true });
    views.put('apps', 'deployments', deployment);
    expect(() =>
      hook({ operation: 'CREATE', object: { ...deployment, metadata: { name: 'e', namespace: 'a' } }, dryRun: false }),
    ).toThrow(
      'deployments.apps "e" is forbidden: exceeded quota: q, requested: count/deployments.apps=1, ' +
        'used: count/deployments.apps=1, limited: count/deployments.apps=1',
    );
  });
});
