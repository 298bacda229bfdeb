import type { Answered, Passing, Sabotage } from './saboteur.ts';

type Json = Record<string, unknown>;

/** What the server must not get wrong without a test that notices: one behaviour is switched off at a time. */
export const SABOTAGES: readonly Sabotage[] = [
  {
    name: 'label selectors are ignored',
    noticedBy:
      '[sig-api-machinery] Watchers should observe add, update, and delete watch notifications on configmaps [Conformance]',
    request: (request) => drop(request, 'labelSelector'),
  },
  {
    name: 'watches start now, whatever version is asked for',
    noticedBy:
      '[sig-api-machinery] Watchers should be able to start watching from a specific resource version [Conformance]',
    request: (request) => {
      if (request.query.get('watch') === 'true') request.query.delete('resourceVersion');
      return undefined;
    },
  },
  {
    name: 'watches keep silent about deletions',
    noticedBy:
      '[sig-api-machinery] Watchers should observe an object deletion if it stops meeting the requirements of the selector [Conformance]',
    watch: (line) => (line.includes('"type":"DELETED"') ? [] : [line]),
  },
  {
    name: 'every second watch turns the order of events around',
    noticedBy: '[sig-api-machinery] Watchers should receive events on concurrent watches in same order [Conformance]',
    watch: swappingEvery(3),
  },
  {
    name: 'limits of lists are ignored',
    noticedBy:
      '[sig-api-machinery] Servers with support for API chunking should return chunks of results for list calls [Conformance]',
    request: (request) => drop(request, 'limit'),
  },
  {
    name: 'watch events carry versions of their own',
    noticedBy:
      '[sig-api-machinery] Watchers should observe add, update, and delete watch notifications on configmaps [Conformance]',
    watch: (line) => [line.replaceAll(/"resourceVersion":"(\d+)"/g, (_, digits) => `"resourceVersion":"${digits}0"`)],
  },
  {
    name: 'unknown fields are dropped in silence',
    noticedBy:
      '[sig-api-machinery] FieldValidation should detect unknown and duplicate fields of a typed object [Conformance]',
    request: (request) => {
      request.query.set('fieldValidation', 'Ignore');
      return undefined;
    },
  },
  {
    name: 'the groups have no preferred version',
    noticedBy: '[sig-api-machinery] Discovery should validate PreferredVersion for each APIGroup [Conformance]',
    response: (answer) =>
      change(answer, (object) => {
        if (object['kind'] === 'APIGroup') delete object['preferredVersion'];
        for (const group of arrayOf(object['groups'])) delete group['preferredVersion'];
      }),
  },
  {
    name: 'discovery is never aggregated',
    noticedBy: '[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface [Conformance]',
    request: (request) => {
      if (request.headers['accept']?.includes('APIGroupDiscoveryList') === true) {
        request.headers['accept'] = 'application/json';
      }
      return undefined;
    },
  },
  {
    name: 'the version is not told',
    noticedBy: '[sig-api-machinery] server version should find the server version [Conformance]',
    response: (answer, request) =>
      change(answer, (object) => {
        if (request.path === '/version') delete object['major'];
      }),
  },
  {
    name: 'tables are made of what has none',
    noticedBy:
      '[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not implement metadata [Conformance]',
    response: (answer) => {
      if (answer.status === 406) answer.status = 200;
    },
  },
  {
    name: 'dependents are never orphaned',
    noticedBy:
      '[sig-api-machinery] Garbage collector should orphan RS created by deployment when deleteOptions.PropagationPolicy is Orphan [Conformance]',
    request: (request) => {
      request.body = Buffer.from(request.body.toString().replace('"Orphan"', '"Background"'));
      return undefined;
    },
  },
  {
    name: 'finalizers are thrown away',
    noticedBy: '[sig-api-machinery] Namespaces should apply a finalizer to a Namespace [Conformance] [Serial]',
    request: (request) => {
      request.body = Buffer.from(request.body.toString().replace(/"finalizers":\[[^\]]*\]/, '"finalizers":[]'));
      return undefined;
    },
  },
  {
    name: 'patches are answered and not done',
    noticedBy: '[sig-api-machinery] Namespaces should patch a Namespace [Conformance] [Serial]',
    request: (request) => asDryRun(request, 'PATCH'),
  },
  {
    name: 'updates are answered and not done',
    noticedBy: '[sig-node] ConfigMap should update ConfigMap successfully [Conformance] [NodeConformance]',
    request: (request) => asDryRun(request, 'PUT'),
  },
  {
    name: 'deletions are answered and not done',
    noticedBy: '[sig-node] Lease lease API should be available [Conformance]',
    request: (request) => asDryRun(request, 'DELETE'),
  },
  {
    name: 'collections are not deleted',
    noticedBy: '[sig-node] PodTemplates should delete a collection of pod templates [Conformance]',
    request: (request) => (request.query.has('labelSelector') ? asDryRun(request, 'DELETE') : undefined),
  },
  {
    name: 'conflicts are told as success',
    noticedBy: '[sig-storage] Secrets should be immutable if `immutable` field is set [Conformance]',
    response: (answer) => {
      if (answer.status === 409 || answer.status === 422) answer.status = 200;
    },
  },
  {
    name: 'status cannot be written',
    noticedBy: '[sig-network] Services should complete a service status lifecycle [Conformance]',
    request: (request) => (request.path.endsWith('/status') ? asDryRun(request, request.method) : undefined),
  },
  {
    name: 'generations stand still',
    noticedBy:
      '[sig-node] Pods Extended (pod generation) Pod Generation pod generation should start at 1 and increment per update [MinimumKubeletVersion:1.34] [Conformance]',
    response: (answer) =>
      change(answer, (object) => {
        const metadata = object['metadata'];
        if (isObject(metadata) && metadata['generation'] !== undefined) metadata['generation'] = 1;
      }),
  },
  {
    name: 'tokens are never good',
    noticedBy:
      '[sig-auth] ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview [Conformance]',
    response: (answer) =>
      change(answer, (object) => {
        if (object['kind'] === 'TokenReview') object['status'] = { authenticated: false };
      }),
  },
  {
    name: 'everybody may do everything',
    noticedBy: '[sig-auth] SubjectReview should support SubjectReview API operations [Conformance]',
    response: (answer) =>
      change(answer, (object) => {
        if (String(object['kind']).endsWith('AccessReview')) object['status'] = { allowed: true };
      }),
  },
  {
    name: 'scale does nothing',
    noticedBy: '[sig-apps] ReplicaSet Replicaset should have a working scale subresource [Conformance]',
    request: (request) => (request.path.endsWith('/scale') ? asDryRun(request, request.method) : undefined),
  },
  {
    name: 'evictions pay no heed to budgets',
    noticedBy:
      '[sig-apps] DisruptionController should block an eviction until the PDB is updated to allow it [Conformance]',
    request: (request) =>
      request.path.endsWith('/eviction') ? { status: 201, headers: {}, body: Buffer.from('{}') } : undefined,
  },
  {
    name: 'quality of service is not told',
    noticedBy:
      '[sig-node] Pods Extended Pods Set QOS Class should be set on Pods with matching resource requests and limits for memory and cpu [Conformance]',
    response: (answer) => change(answer, (object) => remove(object, 'status', 'qosClass')),
  },
];

function drop(request: Passing, parameter: string): undefined {
  request.query.delete(parameter);
}

/** The server checks and answers, and keeps nothing. */
function asDryRun(request: Passing, method: string): undefined {
  if (request.method === method && method !== 'GET') request.query.set('dryRun', 'All');
}

function change(answer: Answered, edit: (object: Json) => void): void {
  if (!(answer.headers['content-type'] ?? '').includes('json')) return;
  const object: unknown = JSON.parse(answer.body.toString());
  if (!isObject(object)) return;
  edit(object);
  answer.body = Buffer.from(JSON.stringify(object));
}

function remove(object: Json, field: string, name: string): void {
  const inner = object[field];
  if (isObject(inner)) delete inner[name];
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function arrayOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** Holds every n-th event back until the next one has gone. */
function swappingEvery(n: number): (line: string) => readonly string[] {
  let count = 0;
  let held: string | undefined;
  return (line) => {
    count += 1;
    if (held !== undefined) {
      const lines = [line, held];
      held = undefined;
      return lines;
    }
    if (count % n !== 0) return [line];
    held = line;
    return [];
  };
}
