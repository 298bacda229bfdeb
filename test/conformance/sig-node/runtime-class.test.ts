import { expect } from 'vitest';
import type { Api, StatusBody } from '../support/api.ts';
import { conformanceTest } from '../support/conformance-test.ts';
import { exerciseApiOperations } from '../support/crud.ts';
import { eventually } from '../support/eventually.ts';
import { kindOf, PODS, RUNTIME_CLASSES } from '../support/kinds.ts';
import { podOf } from '../support/workloads.ts';

function createPod(api: Api, namespace: string, runtimeClassName: string) {
  const pod = podOf('pod', { spec: { runtimeClassName } });
  const body = { apiVersion: 'v1', kind: 'Pod', ...pod };
  return api.raw<StatusBody>('POST', api.of(PODS, namespace).path(), { body });
}

conformanceTest(
  '[sig-node] RuntimeClass should reject a Pod requesting a non-existent RuntimeClass [Conformance] [NodeConformance]',
  async ({ api, namespace, unique }) => {
    const name = unique('nonexistent');
    const answer = await createPod(api, namespace, name);
    expect(answer.code).toBe(403);
    expect(answer.body.message).toContain(`RuntimeClass "${name}" not found`);
  },
);

conformanceTest(
  '[sig-node] RuntimeClass should reject a Pod requesting a deleted RuntimeClass [Conformance] [NodeConformance]',
  async ({ api, namespace, unique }) => {
    const name = unique('deleted');
    const classes = api.of(RUNTIME_CLASSES);
    await classes.create({ metadata: { name }, handler: 'runc' });
    await classes.delete(name);
    await eventually(
      'it is gone',
      () => classes.find(name),
      (found) => found === undefined,
    );
    const answer = await createPod(api, namespace, name);
    expect(answer.code).toBe(403);
  },
);

conformanceTest(
  '[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass without PodOverhead [Conformance] [NodeConformance]',
  async ({ api, namespace, unique, after }) => {
    const name = unique('preconfigured');
    await api.of(RUNTIME_CLASSES).create({ metadata: { name }, handler: 'runc' });
    after(() => api.of(RUNTIME_CLASSES).delete(name));
    expect((await createPod(api, namespace, name)).code).toBe(201);
    const pod = await eventually(
      'it is scheduled',
      () => api.of(PODS, namespace).get('pod'),
      ({ spec }) => spec?.nodeName !== undefined,
    );
    expect(pod.spec?.overhead).toBeUndefined();
  },
);

conformanceTest(
  '[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass and initialize its Overhead [Conformance] [NodeConformance]',
  async ({ api, namespace, unique, after }) => {
    const name = unique('overhead');
    const overhead = { podFixed: { cpu: '10m', memory: '1Mi' } };
    await api.of(RUNTIME_CLASSES).create({ metadata: { name }, handler: 'runc', overhead });
    after(() => api.of(RUNTIME_CLASSES).delete(name));
    expect((await createPod(api, namespace, name)).code).toBe(201);
    const pod = await eventually(
      'it is scheduled',
      () => api.of(PODS, namespace).get('pod'),
      ({ spec }) => spec?.nodeName !== undefined,
    );
    expect(pod.spec?.overhead).toEqual({ cpu: '10m', memory: '1Mi' });
  },
);

conformanceTest(
  '[sig-node] RuntimeClass should support RuntimeClasses API operations [Conformance]',
  async ({ api, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf('node.k8s.io/v1', 'RuntimeClass', 'runtimeclasses'),
      body: { handler: 'runc' },
      unique,
    });
  },
);
