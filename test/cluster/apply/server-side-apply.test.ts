import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '#apiserver/testing/test-server.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { type RawAnswer, send } from './raw-request.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(new RealExecutor());
});
afterAll(() => server.close());

const APPLY = 'application/apply-patch+yaml';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

interface Options {
  readonly manager?: string;
  readonly force?: boolean;
  readonly query?: Record<string, string>;
}

function apply(path: string, body: unknown, { manager = 'm', force, query = {} }: Options = {}): Promise<RawAnswer> {
  const forced: Record<string, string> = force === undefined ? {} : { force: String(force) };
  return send(server, 'PATCH', path, {
    body,
    contentType: APPLY,
    query: { fieldManager: manager, ...forced, ...query },
  });
}

function configMap(name: string, data: unknown, metadata: object = {}): Record<string, unknown> {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data };
}

function deployment(name: string, spec: object = {}, container: object = {}): Record<string, unknown> {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels: { app: name } },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'c', image: 'i', ...container }] },
      },
      ...spec,
    },
  };
}

const owners = (answer: RawAnswer): string[] =>
  (answer.json.metadata.managedFields ?? []).map(
    (entry: { manager: string; operation: string; subresource?: string }) =>
      `${entry.manager} ${entry.operation}${entry.subresource === undefined ? '' : ` ${entry.subresource}`}`,
  );

const fieldsOf = (answer: RawAnswer, manager: string): unknown =>
  answer.json.metadata.managedFields.find((entry: { manager: string }) => entry.manager === manager)?.fieldsV1;

describe('server-side apply', () => {
  test('creates with 201, then answers 200 and writes nothing when nothing changes', async () => {
    const made = await apply(`${CONFIG_MAPS}/made`, configMap('made', { a: '1' }));
    expect(made.status).toBe(201);
    expect(fieldsOf(made, 'm')).toEqual({ 'f:data': { 'f:a': {} } });
    const again = await apply(`${CONFIG_MAPS}/made`, configMap('made', { a: '1' }));
    expect(again.status).toBe(200);
    expect(again.json).toEqual(made.json);
  });

  test('takes YAML', async () => {
    const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata:\n  key: "yes"\n';
    const made = await apply(`${CONFIG_MAPS}/yaml`, yaml);
    expect(made.json.data).toEqual({ key: 'yes' });
  });

  test('removes what is no longer applied and leaves what others set', async () => {
    await apply(`${CONFIG_MAPS}/shrinks`, configMap('shrinks', { a: '1', b: '2' }, { labels: { l: '1' } }));
    await send(server, 'PATCH', `${CONFIG_MAPS}/shrinks`, {
      body: { data: { c: '3' } },
      contentType: 'application/merge-patch+json',
    });
    const after = await apply(`${CONFIG_MAPS}/shrinks`, configMap('shrinks', { b: '2' }));
    expect(after.json.data).toEqual({ b: '2', c: '3' });
    expect(after.json.metadata.labels).toBeUndefined();
    expect(after.json.metadata.uid).toEqual(expect.any(String));
    expect(owners(after)).toEqual(['m Apply', 'tests Update']);
  });

  test('names one conflict, or all of them by manager, and takes over when forced', async () => {
    await apply(`${CONFIG_MAPS}/fight`, configMap('fight', { a: '1', b: '1' }), { manager: 'one' });
    await send(server, 'PATCH', `${CONFIG_MAPS}/fight`, {
      body: { data: { c: '1' } },
      contentType: 'application/merge-patch+json',
      query: { fieldManager: 'two' },
    });
    const single = await apply(`${CONFIG_MAPS}/fight`, configMap('fight', { c: '2' }), { manager: 'three' });
    expect(single.json).toMatchObject({
      kind: 'Status',
      code: 409,
      reason: 'Conflict',
      message: 'Apply failed with 1 conflict: conflict with "two" using v1: .data.c',
      details: {
        causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "two" using v1', field: '.data.c' }],
      },
    });
    const changed = configMap('fight', { a: '2', b: '2', c: '2' });
    const several = await apply(`${CONFIG_MAPS}/fight`, changed, { manager: 'three' });
    expect(several.json.message).toBe(
      'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n- .data.b\nconflicts with "two" using v1:\n- .data.c',
    );
    const forced = await apply(`${CONFIG_MAPS}/fight`, changed, { manager: 'three', force: true });
    expect(forced.status).toBe(200);
    expect(owners(forced)).toEqual(['three Apply']);
  });

  test('shares what is applied with the same value, and keeps it until the last owner lets go', async () => {
    await apply(`${CONFIG_MAPS}/shared`, configMap('shared', { a: '1' }), { manager: 'one' });
    const both = await apply(`${CONFIG_MAPS}/shared`, configMap('shared', { a: '1' }), { manager: 'two' });
    expect(owners(both).toSorted()).toEqual(['one Apply', 'two Apply']);
    const left = await apply(`${CONFIG_MAPS}/shared`, configMap('shared', undefined), { manager: 'one' });
    expect(left.json.data).toEqual({ a: '1' });
    const gone = await apply(`${CONFIG_MAPS}/shared`, configMap('shared', undefined), { manager: 'two' });
    expect(gone.json.data).toBeUndefined();
  });

  test('merges lists by several keys, of which one has a default', async () => {
    const ports = (list: object[]) => deployment('ports', {}, { ports: list });
    await apply(`${DEPLOYMENTS}/ports`, ports([{ containerPort: 80, name: 'web' }]), { manager: 'one' });
    const both = await apply(`${DEPLOYMENTS}/ports`, ports([{ containerPort: 80, protocol: 'UDP' }]), {
      manager: 'two',
    });
    expect(both.json.spec.template.spec.containers[0].ports).toEqual([
      { name: 'web', containerPort: 80, protocol: 'TCP' },
      { containerPort: 80, protocol: 'UDP' },
    ]);
    expect(JSON.stringify(fieldsOf(both, 'one'))).toContain(String.raw`k:{\"containerPort\":80,\"protocol\":\"TCP\"}`);
  });

  test('owns atomic lists and maps as a whole', async () => {
    await apply(`${DEPLOYMENTS}/atomic`, deployment('atomic', {}, { args: ['a', 'b'] }), { manager: 'one' });
    const refused = await apply(`${DEPLOYMENTS}/atomic`, deployment('atomic', {}, { args: ['a'] }), { manager: 'two' });
    expect(refused.json.message).toBe(
      'Apply failed with 1 conflict: conflict with "one": .spec.template.spec.containers[name="c"].args',
    );
    const fields = JSON.stringify(
      fieldsOf(await apply(`${DEPLOYMENTS}/atomic`, deployment('atomic', {}, { args: ['a', 'b'] })), 'm'),
    );
    expect(fields).toContain('"f:selector":{}');
  });

  test('keeps the order of the object and of the configuration', async () => {
    const env = (...names: string[]) =>
      deployment('order', {}, { env: names.map((name) => ({ name, value: name.toLowerCase() })) });
    await apply(`${DEPLOYMENTS}/order`, env('A', 'B', 'C'), { manager: 'one' });
    const after = await apply(`${DEPLOYMENTS}/order`, env('X', 'C', 'B'), { manager: 'two' });
    const names = after.json.spec.template.spec.containers[0].env.map(({ name }: { name: string }) => name);
    expect(names).toEqual(['A', 'X', 'C', 'B']);
  });

  test('takes a null for an absent value, and owns it', async () => {
    await apply(`${DEPLOYMENTS}/null`, deployment('null', { replicas: 5 }), { manager: 'one' });
    const after = await apply(`${DEPLOYMENTS}/null`, deployment('null', { replicas: null }), {
      manager: 'two',
      force: true,
    });
    expect(after.json.spec.replicas).toBe(1);
    expect(JSON.stringify(fieldsOf(after, 'two'))).toContain('"f:replicas":{}');
  });

  test('cannot own the status through the object, only through its subresource', async () => {
    const withStatus = { ...deployment('stated'), status: { replicas: 7 } };
    const made = await apply(`${DEPLOYMENTS}/stated`, withStatus);
    expect(made.json.status).toEqual({});
    expect(fieldsOf(made, 'm')).not.toHaveProperty('f:status');
    const status = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'stated', labels: { x: 'y' } },
      spec: { replicas: 9 },
      status: { replicas: 3 },
    };
    const after = await apply(`${DEPLOYMENTS}/stated/status`, status, { manager: 's' });
    expect(after.json.status).toEqual({ replicas: 3 });
    expect(after.json.spec.replicas).toBe(1);
    expect(fieldsOf(after, 's')).toEqual({ 'f:status': { 'f:replicas': {} } });
    expect(owners(after)).toContain('s Apply status');
  });

  test('of a dry run changes nothing', async () => {
    const dry = await apply(`${CONFIG_MAPS}/dry`, configMap('dry', { a: '1' }), { query: { dryRun: 'All' } });
    expect(dry.status).toBe(201);
    expect((await send(server, 'GET', `${CONFIG_MAPS}/dry`)).status).toBe(404);
  });

  test.each<[string, () => Promise<RawAnswer>, number, string]>([
    [
      'no manager',
      () => send(server, 'PATCH', `${CONFIG_MAPS}/x`, { body: configMap('x', {}), contentType: APPLY }),
      422,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    ],
    [
      'force without apply',
      () =>
        send(server, 'PATCH', `${CONFIG_MAPS}/x`, {
          body: {},
          contentType: 'application/merge-patch+json',
          query: { force: 'true' },
        }),
      422,
      'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
    ],
    [
      'managedFields',
      () => apply(`${CONFIG_MAPS}/x`, configMap('x', {}, { managedFields: [{}] })),
      400,
      'metadata.managedFields must be nil',
    ],
    [
      'another kind',
      () => apply(`${CONFIG_MAPS}/x`, { ...configMap('x', {}), kind: 'Secret' }),
      400,
      'invalid object type: /v1, Kind=Secret',
    ],
    [
      'an unknown field',
      () => apply(`${CONFIG_MAPS}/x`, { ...configMap('x', {}), datta: {} }),
      400,
      'failed to create typed patch object (/x; /v1, Kind=ConfigMap): .datta: field not declared in schema',
    ],
    [
      'an item twice',
      () => apply(`${DEPLOYMENTS}/x`, deployment('x', {}, { env: [{ name: 'A', value: '1' }, { name: 'A' }] })),
      400,
      'failed to create typed patch object (/x; apps/v1, Kind=Deployment): ' +
        '.spec.template.spec.containers[name="c"].env: duplicate entries for key [name="A"]',
    ],
    [
      'an item without keys',
      () => apply(`${DEPLOYMENTS}/x`, deployment('x', {}, { env: [{ value: '1' }] })),
      400,
      'failed to create typed patch object (/x; apps/v1, Kind=Deployment): ' +
        '.spec.template.spec.containers[name="c"].env: element 0: associative list with keys has an element that ' +
        'omits all key fields ["name"] (and doesn\'t have default values for any key fields)',
    ],
    [
      'a wrong type',
      () => apply(`${CONFIG_MAPS}/x`, configMap('x', { a: 1 })),
      400,
      'failed to create typed patch object (/x; /v1, Kind=ConfigMap): ' +
        '.data.a: expected string, got &value.valueUnstructured{Value:1}',
    ],
    [
      'another name',
      () => apply(`${CONFIG_MAPS}/x`, configMap('y', {})),
      400,
      'the name of the object (y) does not match the name on the URL (x)',
    ],
    [
      'no name for a new object',
      () => apply(`${CONFIG_MAPS}/x`, { apiVersion: 'v1', kind: 'ConfigMap' }),
      400,
      'the name of the object (x based on URL) was undeterminable: name must be provided',
    ],
    [
      'a uid that nobody has',
      () => apply(`${CONFIG_MAPS}/x`, configMap('x', {}, { uid: 'u' })),
      409,
      'Operation cannot be fulfilled on configmaps "x": uid mismatch: the provided object specified uid u, and no existing object was found',
    ],
    [
      'keys twice where that is refused',
      () =>
        apply(
          `${CONFIG_MAPS}/x`,
          'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n  a: "1"\n  a: "2"\n',
          {
            query: { fieldValidation: 'Strict' },
          },
        ),
      400,
      'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n' +
        '  line 7: key "a" already set in map',
    ],
  ])('refuses %s', async (_name, request, status, message) => {
    const answer = await request();
    expect([answer.json.message, answer.status]).toEqual([message, status]);
  });

  test('refuses a uid or a resourceVersion of another object', async () => {
    await apply(`${CONFIG_MAPS}/versioned`, configMap('versioned', { a: '1' }));
    const other = await apply(`${CONFIG_MAPS}/versioned`, configMap('versioned', { a: '2' }, { resourceVersion: '1' }));
    expect(other.status).toBe(409);
    expect(other.json.message).toContain('the object has been modified');
    const uid = await apply(`${CONFIG_MAPS}/versioned`, configMap('versioned', { a: '2' }, { uid: 'u' }));
    expect(uid.status).toBe(409);
    expect(uid.json.message).toContain('Precondition failed: UID in precondition: u, UID in object meta: ');
  });
});

describe('migration to server-side apply', () => {
  const LAST = 'kubectl.kubernetes.io/last-applied-configuration';

  async function clientSideApplied(name: string, data: Record<string, string>): Promise<void> {
    const applied = { ...configMap(name, data, { namespace: 'default' }) };
    const annotations = { [LAST]: `${JSON.stringify(applied)}\n` };
    await send(server, 'POST', CONFIG_MAPS, {
      body: configMap(name, data, { annotations }),
      query: { fieldManager: 'kubectl-client-side-apply' },
    });
  }

  test('kubectl takes over what it applied from the client', async () => {
    await clientSideApplied('moves', { a: '1', b: '1' });
    const others = await apply(`${CONFIG_MAPS}/moves`, configMap('moves', { a: '2' }), { manager: 'other' });
    expect(others.json.message).toBe(
      'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using v1: .data.a',
    );
    const after = await apply(`${CONFIG_MAPS}/moves`, configMap('moves', { a: '2' }), { manager: 'kubectl' });
    expect(after.status).toBe(200);
    expect(after.json.data).toEqual({ a: '2', b: '1' });
    expect(JSON.parse(after.json.metadata.annotations[LAST])).toMatchObject({ data: { a: '2' } });
  });

  test('but not what somebody changed meanwhile', async () => {
    await clientSideApplied('changed', { a: '1', b: '1' });
    await send(server, 'PATCH', `${CONFIG_MAPS}/changed`, {
      body: { data: { a: '9' } },
      contentType: 'application/merge-patch+json',
      query: { fieldManager: 'other' },
    });
    const after = await apply(`${CONFIG_MAPS}/changed`, configMap('changed', { a: '2', b: '2' }), {
      manager: 'kubectl',
    });
    expect(after.json.message).toBe('Apply failed with 1 conflict: conflict with "other" using v1: .data.a');
  });

  test('an object without managedFields gets an owner first, and stays without them until then', async () => {
    await send(server, 'POST', CONFIG_MAPS, { body: configMap('reset', { a: '1' }) });
    const reset = await send(server, 'PATCH', `${CONFIG_MAPS}/reset`, {
      body: [{ op: 'replace', path: '/metadata/managedFields', value: [{}] }],
      contentType: 'application/json-patch+json',
    });
    expect(reset.json.metadata.managedFields).toBeUndefined();
    const updated = await send(server, 'PATCH', `${CONFIG_MAPS}/reset`, {
      body: { data: { b: '1' } },
      contentType: 'application/merge-patch+json',
    });
    expect(updated.json.metadata.managedFields).toBeUndefined();
    const refused = await apply(`${CONFIG_MAPS}/reset`, configMap('reset', { a: '2' }));
    expect(refused.json.message).toBe(
      'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a',
    );
    const forced = await apply(`${CONFIG_MAPS}/reset`, configMap('reset', { a: '2' }), { force: true });
    expect(owners(forced)).toEqual(['m Apply', 'before-first-apply Update']);
  });

  test('an empty list of managedFields resets them, too', async () => {
    await apply(`${CONFIG_MAPS}/emptied`, configMap('emptied', { a: '1' }));
    const emptied = await send(server, 'PATCH', `${CONFIG_MAPS}/emptied`, {
      body: { metadata: { managedFields: [] } },
      contentType: 'application/merge-patch+json',
    });
    expect(emptied.json.metadata.managedFields).toBeUndefined();
  });
});

describe('scale', () => {
  const scale = (name: string, replicas: number) => ({
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name },
    spec: { replicas },
  });

  test('shares the ownership of replicas with its workload', async () => {
    await apply(`${DEPLOYMENTS}/scaled`, deployment('scaled', { replicas: 2 }), { manager: 'owner' });
    const refused = await apply(`${DEPLOYMENTS}/scaled/scale`, scale('scaled', 4), { manager: 'scaler' });
    expect(refused.json.message).toBe('Apply failed with 1 conflict: conflict with "owner": .spec.replicas');
    const forced = await apply(`${DEPLOYMENTS}/scaled/scale`, scale('scaled', 4), { manager: 'scaler', force: true });
    expect(forced.json).toMatchObject({ kind: 'Scale', spec: { replicas: 4 } });
    const after = await send(server, 'GET', `${DEPLOYMENTS}/scaled`);
    expect(after.json.spec.replicas).toBe(4);
    expect(fieldsOf(after, 'scaler')).toEqual({ 'f:spec': { 'f:replicas': {} } });
    expect(JSON.stringify(fieldsOf(after, 'owner'))).not.toContain('f:replicas');
    const back = await apply(`${DEPLOYMENTS}/scaled`, deployment('scaled', { replicas: 2 }), { manager: 'owner' });
    expect(back.json.message).toBe(
      'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale": .spec.replicas',
    );
    const released = await apply(`${DEPLOYMENTS}/scaled`, deployment('scaled'), { manager: 'owner' });
    expect(released.json.spec.replicas).toBe(4);
  });

  test('an update of it owns the replicas, too', async () => {
    await apply(`${DEPLOYMENTS}/updated`, deployment('updated', { replicas: 2 }), { manager: 'owner' });
    await send(server, 'PUT', `${DEPLOYMENTS}/updated/scale`, { body: scale('updated', 3) });
    const refused = await apply(`${DEPLOYMENTS}/updated`, deployment('updated', { replicas: 2 }), { manager: 'owner' });
    expect(refused.json.message).toBe(
      'Apply failed with 1 conflict: conflict with "tests" with subresource "scale" using apps/v1: .spec.replicas',
    );
  });
});
