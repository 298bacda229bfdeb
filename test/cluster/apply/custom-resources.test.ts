import { describe, expect, test } from 'vitest';
import { startTestServer, type TestServer, underVirtualTime } from '#apiserver/testing/test-server.ts';
import { type RawAnswer, send } from './raw-request.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const WIDGETS = '/apis/example.com/v1/namespaces/default/widgets';
const APPLY = 'application/apply-patch+yaml';

const text = { type: 'string' };

function definition(spec: object): object {
  const schema = {
    openAPIV3Schema: { type: 'object', properties: { spec, status: { type: 'object', properties: { phase: text } } } },
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
      versions: [{ name: 'v1', served: true, storage: true, schema, subresources: { status: {} } }],
    },
  };
}

const properties = {
  keyed: {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name', 'protocol'],
    items: {
      type: 'object',
      required: ['name'],
      properties: { name: text, protocol: { type: 'string', default: 'TCP' }, value: text },
    },
  },
  tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: text },
  plain: { type: 'array', items: text },
  whole: { type: 'object', 'x-kubernetes-map-type': 'atomic', additionalProperties: text },
  open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
};

function widget(spec: object, more: object = {}): object {
  return { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec, ...more };
}

async function withWidgets(seed: string, steps: (server: TestServer) => Promise<void>): Promise<void> {
  await underVirtualTime(seed, async (executor) => {
    await using server = await startTestServer(executor);
    const made = await send(server, 'POST', CRDS, { body: definition({ type: 'object', properties }) });
    expect(made.status).toBe(201);
    await executor.clock.sleep(10_000);
    await steps(server);
  });
}

function apply(server: TestServer, body: object, manager = 'm', force = false): Promise<RawAnswer> {
  return send(server, 'PATCH', `${WIDGETS}/w`, {
    body,
    contentType: APPLY,
    query: { fieldManager: manager, ...(force ? { force: 'true' } : {}) },
  });
}

const fieldsOf = (answer: RawAnswer, manager: string): unknown =>
  answer.json.metadata.managedFields.find((entry: { manager: string }) => entry.manager === manager)?.fieldsV1;

describe('server-side apply of custom resources', () => {
  test('merges lists and maps as their schema says', () =>
    withWidgets('merge', async (server) => {
      const first = await apply(
        server,
        widget({
          keyed: [{ name: 'a', value: '1' }],
          tags: ['x'],
          plain: ['p'],
          whole: { a: '1' },
          open: { a: { b: 1 } },
        }),
        'one',
      );
      expect(first.status).toBe(201);
      expect(fieldsOf(first, 'one')).toEqual({
        'f:spec': {
          'f:keyed': { 'k:{"name":"a","protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
          'f:open': { 'f:a': { '.': {}, 'f:b': {} } },
          'f:plain': {},
          'f:tags': { 'v:"x"': {} },
          'f:whole': {},
        },
      });
      const second = await apply(
        server,
        widget({ keyed: [{ name: 'a', protocol: 'UDP' }], tags: ['y'], open: { a: { c: 2 } } }),
        'two',
      );
      expect(second.json.spec).toEqual({
        keyed: [
          { name: 'a', protocol: 'TCP', value: '1' },
          { name: 'a', protocol: 'UDP' },
        ],
        tags: ['x', 'y'],
        plain: ['p'],
        whole: { a: '1' },
        open: { a: { b: 1, c: 2 } },
      });
      const conflict = await apply(server, widget({ plain: ['q'], whole: { b: '1' } }), 'two');
      expect(conflict.json.message).toBe(
        'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.plain\n- .spec.whole',
      );
      const gone = await apply(server, widget({}), 'one');
      expect(gone.json.spec).toEqual({ keyed: [{ name: 'a', protocol: 'UDP' }], tags: ['y'], open: { a: { c: 2 } } });
    }));

  test('refuses what the schema does not know, and strategic patches', () =>
    withWidgets('refuse', async (server) => {
      const unknown = await apply(server, widget({ extra: 1 }));
      expect([unknown.status, unknown.json.message]).toEqual([
        400,
        'failed to create typed patch object (/w; example.com/v1, Kind=Widget): .spec.extra: field not declared in schema',
      ]);
      const strategic = await send(server, 'PATCH', `${WIDGETS}/w`, {
        body: {},
        contentType: 'application/strategic-merge-patch+json',
      });
      expect([strategic.status, strategic.json.message]).toEqual([
        415,
        'the body of the request was in an unknown format - accepted media types include: ' +
          'application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
      ]);
    }));

  test('refuses another kind in the words of validation', () =>
    withWidgets('kinds', async (server) => {
      const body = { ...widget({}), kind: 'Gadget' };
      const refused = await send(server, 'POST', WIDGETS, { body });
      expect([refused.status, refused.json.message]).toEqual([
        422,
        'Gadget.example.com "w" is invalid: kind: Invalid value: "Gadget": must be Widget',
      ]);
    }));

  test('keeps the status to its subresource', () =>
    withWidgets('status', async (server) => {
      const made = await apply(server, widget({ tags: ['x'] }, { status: { phase: 'Mine' } }));
      expect(made.json.status).toBeUndefined();
      const after = await send(server, 'PATCH', `${WIDGETS}/w/status`, {
        body: widget({ tags: ['z'] }, { status: { phase: 'Ready' } }),
        contentType: APPLY,
        query: { fieldManager: 's' },
      });
      expect(after.json).toMatchObject({ spec: { tags: ['x'] }, status: { phase: 'Ready' } });
      expect(fieldsOf(after, 's')).toEqual({ 'f:status': { 'f:phase': {} } });
    }));

  test('owns as a whole what a new schema makes atomic', () =>
    withWidgets('atomic', async (server) => {
      await apply(server, widget({ tags: ['x'] }), 'one');
      const atomic = { ...properties, tags: { ...properties.tags, 'x-kubernetes-list-type': 'atomic' } };
      const { json: stored } = await send(server, 'GET', `${CRDS}/widgets.example.com`);
      // Safe: the definition above has a spec.
      const changed = {
        ...stored,
        spec: (definition({ type: 'object', properties: atomic }) as { spec: object }).spec,
      };
      expect((await send(server, 'PUT', `${CRDS}/widgets.example.com`, { body: changed })).status).toBe(200);
      await server.executor.clock.sleep(10_000);
      const conflict = await apply(server, widget({ tags: ['y'] }), 'two');
      expect(conflict.json.message).toBe('Apply failed with 1 conflict: conflict with "one": .spec.tags');
      const own = await apply(server, widget({ tags: ['y'] }), 'one');
      expect(own.json.spec.tags).toEqual(['y']);
      expect(fieldsOf(own, 'one')).toEqual({ 'f:spec': { 'f:tags': {} } });
    }));
});
