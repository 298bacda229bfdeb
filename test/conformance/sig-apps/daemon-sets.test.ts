import { expect } from 'vitest';
import type { Api } from '../support/api.ts';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import { type JsonObject, kindOf, NODES, type Pod, PODS } from '../support/kinds.ts';
import { isReady, PAUSE_IMAGE } from '../support/workloads.ts';

const DAEMON_SETS = kindOf<JsonObject>('apps/v1', 'DaemonSet', 'daemonsets');
const CONTROLLER_REVISIONS = kindOf<JsonObject>('apps/v1', 'ControllerRevision', 'controllerrevisions');
const NAME = 'daemon-set';
const SELECTOR = `daemonset-name=${NAME}`;

function daemonSetOf(podSpec: object = {}, spec: object = {}): JsonObject {
  const labels = { 'daemonset-name': NAME };
  const containers = [{ name: 'app', image: PAUSE_IMAGE }];
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers, ...podSpec } };
  return { metadata: { name: NAME, labels }, spec: { selector: { matchLabels: labels }, template, ...spec } };
}

async function nodeNames(api: Api): Promise<string[]> {
  const { items } = await api.of(NODES).list();
  const usable = items.filter(({ spec }) => spec?.unschedulable !== true && (spec?.taints ?? []).length === 0);
  return usable.map(({ metadata }) => metadata?.name ?? '').toSorted();
}

/** Waits until just these nodes have a daemon that is ready, and fits. */
async function waitForDaemons(
  api: Api,
  namespace: string,
  nodes: readonly string[],
  fits: (pod: Pod) => boolean = () => true,
): Promise<Pod[]> {
  const { items } = await eventually(
    `daemons on ${nodes.join(', ')}`,
    () => api.of(PODS, namespace).list({ labelSelector: SELECTOR }),
    ({ items: pods }) => {
      const places = pods.map(({ spec }) => spec?.nodeName ?? '').toSorted();
      return places.join() === nodes.join() && pods.every((pod) => isReady(pod) && fits(pod));
    },
  );
  return items;
}

const setImage = (image: string) => ({ spec: { template: { spec: { containers: [{ name: 'app', image }] } } } });
const imageIs = (image: string) => (pod: Pod) => pod.spec?.containers[0]?.image === image;

conformanceTest(
  '[sig-apps] Daemon set should run and stop simple daemon [Conformance] [Serial]',
  async ({ api, namespace }) => {
    await api.of(DAEMON_SETS, namespace).create(daemonSetOf());
    const nodes = await nodeNames(api);
    const [pod] = await waitForDaemons(api, namespace, nodes);
    await api.of(PODS, namespace).delete(pod?.metadata?.name ?? '');
    const again = await waitForDaemons(api, namespace, nodes, ({ metadata }) => metadata?.uid !== pod?.metadata?.uid);
    expect(again).toHaveLength(nodes.length);
  },
);

conformanceTest(
  '[sig-apps] Daemon set should run and stop complex daemon [Conformance] [Serial]',
  async ({ api, namespace, unique, after }) => {
    const label = unique('daemonset-color');
    const [node = ''] = await nodeNames(api);
    const sets = api.of(DAEMON_SETS, namespace);
    const paint = (color: string | null) => api.of(NODES).patch(node, { metadata: { labels: { [label]: color } } });
    after(() => paint(null));
    await sets.create(daemonSetOf({ nodeSelector: { [label]: 'blue' } }));
    await waitForDaemons(api, namespace, []);
    await paint('blue');
    await waitForDaemons(api, namespace, [node]);
    await paint('green');
    await waitForDaemons(api, namespace, []);
    await sets.patch(NAME, {
      spec: {
        template: { spec: { nodeSelector: { [label]: 'green' } } },
        updateStrategy: { type: 'RollingUpdate' },
      },
    });
    const daemons = await waitForDaemons(api, namespace, [node]);
    expect(daemons).toHaveLength(1);
  },
);

conformanceTest(
  '[sig-apps] Daemon set should retry creating failed daemon pods [Conformance] [Serial]',
  async ({ api, namespace }) => {
    await api.of(DAEMON_SETS, namespace).create(daemonSetOf());
    const nodes = await nodeNames(api);
    const [pod] = await waitForDaemons(api, namespace, nodes);
    const name = pod?.metadata?.name ?? '';
    await api.of(PODS, namespace).patch(name, { status: { phase: 'Failed' } }, { subresource: 'status' });
    const revived = await waitForDaemons(api, namespace, nodes, ({ metadata }) => metadata?.uid !== pod?.metadata?.uid);
    expect(revived).toHaveLength(nodes.length);
    await eventually(
      'the failed pod is gone',
      () => api.of(PODS, namespace).find(name),
      (found) => found === undefined,
    );
  },
);

conformanceTest(
  '[sig-apps] Daemon set should update pod when spec was updated and update strategy is RollingUpdate [Conformance] [Serial]',
  async ({ api, namespace }) => {
    const sets = api.of(DAEMON_SETS, namespace);
    await sets.create(daemonSetOf({}, { updateStrategy: { type: 'RollingUpdate' } }));
    const nodes = await nodeNames(api);
    const before = await waitForDaemons(api, namespace, nodes);
    await sets.patch(NAME, setImage('example.com/other:2'), { type: 'strategic' });
    const pods = await waitForDaemons(api, namespace, nodes, imageIs('example.com/other:2'));
    const hash = (pod: Pod | undefined) => pod?.metadata?.labels?.['controller-revision-hash'];
    expect(hash(pods[0])).toBeDefined();
    expect(hash(pods[0])).not.toBe(hash(before[0]));
    const { items } = await api.of(CONTROLLER_REVISIONS, namespace).list({ labelSelector: SELECTOR });
    expect(items.map((revision) => revision['revision']).toSorted()).toEqual([1, 2]);
  },
);

conformanceTest(
  '[sig-apps] Daemon set should rollback without unnecessary restarts [Conformance] [Serial]',
  async ({ api, namespace }) => {
    const sets = api.of(DAEMON_SETS, namespace);
    const nodes = await nodeNames(api);
    expect(nodes.length).toBeGreaterThan(1);
    await sets.create(daemonSetOf({}, { updateStrategy: { type: 'RollingUpdate' } }));
    const before = await waitForDaemons(api, namespace, nodes);
    // A pod of this one never becomes ready: the rollout stops at the first node.
    await sets.patch(
      NAME,
      {
        spec: {
          template: {
            metadata: { annotations: { 'simulation.tiphys.io/pull-error': 'not found' } },
            spec: { containers: [{ name: 'app', image: 'foo:non-existent', imagePullPolicy: 'Always' }] },
          },
        },
      },
      { type: 'strategic' },
    );
    await eventually(
      'a pod of the bad image',
      () => api.of(PODS, namespace).list({ labelSelector: SELECTOR }),
      ({ items }) => items.some(imageIs('foo:non-existent')),
    );
    const good = { name: 'app', image: PAUSE_IMAGE, imagePullPolicy: 'IfNotPresent' };
    const template = { metadata: { annotations: null }, spec: { containers: [good] } };
    await sets.patch(NAME, { spec: { template } }, { type: 'strategic' });
    const pods = await waitForDaemons(api, namespace, nodes, imageIs(PAUSE_IMAGE));
    const uids = new Set(before.map(({ metadata }) => metadata?.uid));
    expect(pods.filter(({ metadata }) => !uids.has(metadata?.uid))).toHaveLength(1);
  },
);

conformanceTest(
  '[sig-apps] Daemon set should list and delete a collection of DaemonSets [Conformance] [Serial]',
  async ({ api, namespace }) => {
    const sets = api.of(DAEMON_SETS, namespace);
    await sets.create(daemonSetOf());
    await waitForDaemons(api, namespace, await nodeNames(api));
    const listed = await api.of(DAEMON_SETS).list({ labelSelector: SELECTOR });
    expect(listed.items.some(({ metadata }) => metadata?.namespace === namespace)).toBe(true);
    await sets.deleteAll({ labelSelector: SELECTOR });
    await eventually(
      'no DaemonSet',
      () => sets.list({ labelSelector: SELECTOR }),
      ({ items }) => items.length === 0,
    );
    expect(await sets.find(NAME)).toBeUndefined();
  },
);

conformanceTest(
  '[sig-apps] Daemon set should verify changes to a daemon set status [Conformance] [Serial]',
  async ({ api, namespace }) => {
    const sets = api.of(DAEMON_SETS, namespace);
    await sets.create(daemonSetOf());
    await waitForDaemons(api, namespace, await nodeNames(api));
    expect((await sets.get(NAME, 'status')).metadata?.name).toBe(NAME);
    const condition = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from e2e test' };
    const updated = await sets.change(
      NAME,
      (set) => {
        set['status'] = { ...(set['status'] as object), conditions: [condition] };
      },
      'status',
    );
    expect(updated['status']).toMatchObject({ conditions: [condition] });
    const conditions = [{ type: 'StatusPatched', status: 'True' }];
    const patched = await sets.patch(NAME, { status: { conditions } }, { subresource: 'status' });
    expect(patched['status']).toMatchObject({ conditions });
  },
);

conformanceTest(
  '[sig-apps] ControllerRevision should manage the lifecycle of a ControllerRevision [Conformance] [Serial]',
  async ({ api, namespace, unique }) => {
    await api.of(DAEMON_SETS, namespace).create(daemonSetOf());
    const nodes = await nodeNames(api);
    await waitForDaemons(api, namespace, nodes);
    const revisions = api.of(CONTROLLER_REVISIONS, namespace);
    const [initial] = (await revisions.list({ labelSelector: SELECTOR })).items;
    const name = initial?.metadata?.name ?? '';
    expect(initial?.['revision']).toBe(1);
    const patched = await revisions.patch(name, { metadata: { labels: { [name]: 'patched' } } });
    expect(patched.metadata?.labels?.[name]).toBe('patched');
    const copy = unique('revision');
    const ownerReferences = initial?.metadata?.ownerReferences ?? [];
    const labels = { 'daemonset-name': NAME, [copy]: 'copy' };
    const data = { spec: { template: { spec: { containers: [] }, $patch: 'replace' } } };
    await revisions.create({ metadata: { name: copy, labels, ownerReferences }, data, revision: 1 });
    const updated = await revisions.change(copy, (revision) => {
      revision.metadata = { ...revision.metadata, labels: { ...revision.metadata?.labels, updated: 'true' } };
    });
    expect(updated.metadata?.labels?.['updated']).toBe('true');
    await revisions.delete(copy);
    expect(await revisions.find(copy)).toBeUndefined();
    const image = 'example.com/revised:2';
    await api.of(DAEMON_SETS, namespace).patch(NAME, setImage(image), { type: 'strategic' });
    await waitForDaemons(api, namespace, nodes, imageIs(image));
    const listed = await api.of(CONTROLLER_REVISIONS).list({ labelSelector: SELECTOR });
    expect(listed.items.filter(({ metadata }) => metadata?.namespace === namespace)).toHaveLength(2);
    await revisions.deleteAll({ labelSelector: `${name}=patched` });
    await eventually(
      'the old revision is gone',
      () => revisions.list({ labelSelector: `${name}=patched` }),
      ({ items }) => items.length === 0,
    );
  },
);
