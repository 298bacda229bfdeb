import { expect } from 'vitest';
import type { Api } from '../support/api.ts';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import { EVENTS, LIMIT_RANGES, NODES, PODS, PRIORITY_CLASSES } from '../support/kinds.ts';
import { PAUSE_IMAGE, podOf, waitForRunning } from '../support/workloads.ts';

/** A ready node that takes ordinary pods. */
async function anyNode(api: Api): Promise<string> {
  const { items } = await api.of(NODES).list();
  const node = items.find(
    ({ spec, status }) =>
      spec?.unschedulable !== true &&
      (spec?.taints ?? []).length === 0 &&
      status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True'),
  );
  return node?.metadata?.name ?? '';
}

function waitUntilUnschedulable(api: Api, namespace: string, name: string) {
  return eventually(
    `pod ${name} is refused`,
    () => api.of(PODS, namespace).get(name),
    ({ status }) =>
      status?.conditions?.some(({ type, reason }) => type === 'PodScheduled' && reason === 'Unschedulable') ?? false,
  );
}

conformanceTest(
  '[sig-scheduling] SchedulerPredicates validates that NodeSelector is respected if matching [Conformance] [Serial]',
  async ({ api, namespace, unique, after }) => {
    const node = await anyNode(api);
    const key = `kubernetes.io/${unique('e2e')}`;
    await api.of(NODES).patch(node, { metadata: { labels: { [key]: '42' } } });
    after(() => api.of(NODES).patch(node, { metadata: { labels: { [key]: null } } }));
    await api.of(PODS, namespace).create(podOf('with-labels', { spec: { nodeSelector: { [key]: '42' } } }));
    const pod = await waitForRunning(api, namespace, 'with-labels');
    expect(pod.spec?.nodeName).toBe(node);
  },
);

conformanceTest(
  '[sig-scheduling] SchedulerPredicates validates that NodeSelector is respected if not matching [Conformance] [Serial]',
  async ({ api, namespace }) => {
    await api.of(PODS, namespace).create(podOf('restricted-pod', { spec: { nodeSelector: { label: 'nonempty' } } }));
    const pod = await waitUntilUnschedulable(api, namespace, 'restricted-pod');
    expect(pod.spec?.nodeName).toBeUndefined();
    const events = await eventually(
      'an event says why',
      () => api.of(EVENTS, namespace).list({ fieldSelector: 'reason=FailedScheduling' }),
      ({ items }) => items.length > 0,
    );
    expect(events.items[0]?.['message']).toContain("node(s) didn't match Pod's node affinity/selector");
  },
);

conformanceTest(
  '[sig-scheduling] SchedulerPredicates validates resource limits of pods that are allowed to run [Conformance] [Serial]',
  async ({ api, namespace, unique, after }) => {
    // An extended resource of its own keeps the node usable for others meanwhile.
    const node = await anyNode(api);
    const resource = `example.com/${unique('fake')}`;
    const escaped = resource.replace('/', '~1');
    const offer = ['capacity', 'allocatable'].map((field) => ({
      op: 'add',
      path: `/status/${field}/${escaped}`,
      value: '10',
    }));
    await api.of(NODES).patch(node, offer, { type: 'json', subresource: 'status' });
    after(() =>
      api.of(NODES).patch(
        node,
        offer.map(({ path }) => ({ op: 'remove', path })),
        { type: 'json', subresource: 'status' },
      ),
    );
    const podWith = (name: string, amount: string) =>
      podOf(name, {
        spec: {
          containers: [
            {
              name: 'pause',
              image: PAUSE_IMAGE,
              resources: { requests: { [resource]: amount }, limits: { [resource]: amount } },
            },
          ],
        },
      });
    await api.of(PODS, namespace).create(podWith('filler-pod', '7'));
    await waitForRunning(api, namespace, 'filler-pod');
    await api.of(PODS, namespace).create(podWith('additional-pod', '5'));
    const refused = await waitUntilUnschedulable(api, namespace, 'additional-pod');
    const why = refused.status?.conditions?.find(({ type }) => type === 'PodScheduled')?.message;
    expect(why).toContain(`Insufficient ${resource}`);
  },
);

conformanceTest(
  '[sig-scheduling] SchedulerPredicates validates that there exists conflict between pods with same hostPort and protocol but one using 0.0.0.0 hostIP [Conformance] [Serial]',
  async ({ api, namespace }) => {
    const nodeSelector = { 'kubernetes.io/hostname': await anyNode(api) };
    const podWith = (name: string, hostIP: string | undefined) =>
      podOf(name, {
        spec: {
          nodeSelector,
          containers: [
            {
              name: 'pause',
              image: PAUSE_IMAGE,
              ports: [
                { containerPort: 8080, hostPort: 54_322, protocol: 'TCP', ...(hostIP === undefined ? {} : { hostIP }) },
              ],
            },
          ],
        },
      });
    await api.of(PODS, namespace).create(podWith('pod4', '0.0.0.0'));
    await waitForRunning(api, namespace, 'pod4');
    await api.of(PODS, namespace).create(podWith('pod5', '127.0.0.1'));
    const refused = await waitUntilUnschedulable(api, namespace, 'pod5');
    expect(refused.status?.conditions?.find(({ type }) => type === 'PodScheduled')?.message).toContain(
      "node(s) didn't have free ports for the requested pod ports",
    );
  },
);

conformanceTest(
  '[sig-scheduling] SchedulerPreemption PriorityClass endpoints verify PriorityClass endpoints can be operated with different HTTP methods [Conformance] [Serial]',
  async ({ api, unique, after }) => {
    const classes = api.of(PRIORITY_CLASSES);
    const names = [unique('p1'), unique('p2')];
    for (const [index, name] of names.entries()) {
      const body = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value: index + 1 };
      await classes.create(body);
      after(() => classes.delete(name));
      // The value cannot change, by update or by patch.
      const update = await api.raw('PUT', classes.path(name), { body: { ...body, value: 100 } });
      expect(update.code).toBe(422);
      const patch = await api.raw('PATCH', classes.path(name), {
        body: { value: 100 },
        contentType: 'application/merge-patch+json',
      });
      expect(patch.code).toBe(422);
      const described = await classes.patch(name, { description: 'updated' });
      expect(described.description).toBe('updated');
      expect(described.value).toBe(index + 1);
    }
    const listed = (await classes.list()).items.map(({ metadata }) => metadata?.name);
    expect(listed).toEqual(expect.arrayContaining(names));
  },
);

conformanceTest(
  '[sig-scheduling] LimitRange should create a LimitRange with defaults and ensure pod has those defaults applied. [Conformance]',
  async ({ api, namespace }) => {
    const amounts = (cpu: string, memory: string, storage: string) => ({ cpu, memory, 'ephemeral-storage': storage });
    const ranges = api.of(LIMIT_RANGES, namespace);
    // A variable, because Kubernetes' client calls the field "default" otherwise than the wire does.
    const item = {
      type: 'Container',
      min: amounts('50m', '100Mi', '100Gi'),
      max: amounts('500m', '500Mi', '500Gi'),
      default: amounts('500m', '500Mi', '500Gi'),
      defaultRequest: amounts('100m', '200Mi', '200Gi'),
    };
    await ranges.create({ metadata: { name: 'limit-range' }, spec: { limits: [item] } });
    const pods = api.of(PODS, namespace);
    const resourcesOf = (pod: { spec?: { containers: { resources?: object }[] } }) =>
      pod.spec?.containers[0]?.resources;
    const plain = await pods.create(podOf('pod-no-resources'));
    expect(resourcesOf(plain)).toEqual({
      requests: amounts('100m', '200Mi', '200Gi'),
      limits: amounts('500m', '500Mi', '500Gi'),
    });
    const podWith = (name: string, resources: object) =>
      podOf(name, { spec: { containers: [{ name: 'pause', image: PAUSE_IMAGE, resources }] } });
    const partial = await pods.create(
      podWith('pod-partial-resources', { requests: { cpu: '300m', memory: '150Mi' }, limits: { cpu: '300m' } }),
    );
    expect(resourcesOf(partial)).toEqual({
      requests: amounts('300m', '150Mi', '200Gi'),
      limits: amounts('300m', '500Mi', '500Gi'),
    });
    for (const cpu of ['10m', '600m']) {
      const pod = podWith('pod-out-of-range', {
        requests: amounts(cpu, '150Mi', '150Gi'),
        limits: amounts(cpu, '150Mi', '150Gi'),
      });
      const answer = await api.raw('POST', pods.path(), { body: { apiVersion: 'v1', kind: 'Pod', ...pod } });
      expect(answer.code, cpu).toBe(403);
    }
    await ranges.change('limit-range', (range) => {
      range.spec!.limits[0]!.min = amounts('9m', '49Mi', '49Gi');
    });
    const small = { requests: amounts('10m', '50Mi', '50Gi'), limits: amounts('10m', '50Mi', '50Gi') };
    await eventually('the lower minimum is in force', async () => {
      await pods.create(podWith('pod-small', small));
      return true;
    });
    await ranges.delete('limit-range');
    expect(await ranges.find('limit-range')).toBeUndefined();
  },
);

conformanceTest(
  '[sig-scheduling] LimitRange should list, patch and delete a LimitRange by collection [Conformance]',
  async ({ api, namespace, unique }) => {
    const label = unique('limitrange');
    const ranges = api.of(LIMIT_RANGES, namespace);
    const limits = [{ type: 'Container', min: { cpu: '50m', memory: '100Mi' } }];
    await ranges.create({ metadata: { name: 'e2e-limitrange', labels: { e2e: label } }, spec: { limits } });
    expect((await api.of(LIMIT_RANGES).list({ labelSelector: `e2e=${label}` })).items).toHaveLength(1);
    const patched = await ranges.patch(
      'e2e-limitrange',
      { metadata: { labels: { patched: 'true' } }, spec: { limits: [{ type: 'Container', max: { cpu: '600m' } }] } },
      { type: 'strategic' },
    );
    expect(patched.metadata?.labels?.['patched']).toBe('true');
    await ranges.deleteAll({ labelSelector: `e2e=${label}` });
    expect((await api.of(LIMIT_RANGES).list({ labelSelector: `e2e=${label}` })).items).toEqual([]);
  },
);
