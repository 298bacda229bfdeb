import type { ResourceDefinition } from '#api/registry/resource.ts';
import { notFound } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { ApiResponse, RequestContext } from '../pipeline/types.ts';
import type { ServerCore } from '../server-core.ts';
import { encode, frozenResponse } from './representation/respond.ts';
import { negotiate } from './representation/negotiate.ts';
import { partialObject } from './representation/partial.ts';
import { tableOf } from './representation/table.ts';

/** The health of the control plane's components, asked when somebody looks: `componentstatuses`, long deprecated. */
export async function componentStatuses(
  core: ServerCore,
  context: RequestContext,
  definition: ResourceDefinition,
): Promise<ApiResponse> {
  const { name } = context.info;
  const checks = core.componentChecks.filter((check) => name === '' || check.name === name);
  if (name !== '' && checks.length === 0) throw notFound({ group: '', resource: 'componentstatuses', name });
  const objects = await Promise.all(checks.map((check) => statusOf(check)));
  const representation = negotiate(context.request, { encodings: core.forms.encodingsOf(definition) });
  const { shape, isFrozen } = representation;
  const nowMs = core.executor.clock.now();
  if (shape.type === 'table') {
    return encode(core.forms, tableOf(definition, objects, {}, { ...shape, nowMs }), { representation, status: 200 });
  }
  const items = shape.type === 'partial' ? objects.map((object) => partialObject(object, shape.version)) : objects;
  const [only] = items;
  const kind = shape.type === 'partial' ? 'PartialObjectMetadataList' : definition.listKind;
  const apiVersion = shape.type === 'partial' ? `meta.k8s.io/${shape.version}` : 'v1';
  const answer = name === '' || only === undefined ? { kind, apiVersion, metadata: {}, items } : only;
  return isFrozen ? frozenResponse(answer) : encode(core.forms, answer, { representation, status: 200 });
}

async function statusOf({ name, check }: ServerCore['componentChecks'][number]): Promise<KubeObject> {
  const failure = await Promise.resolve()
    .then(check)
    .catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  const condition =
    failure === undefined
      ? { type: 'Healthy', status: 'True', message: 'ok' }
      : { type: 'Healthy', status: 'False', error: failure };
  const status: KubeObject & { conditions: object[] } = {
    kind: 'ComponentStatus',
    apiVersion: 'v1',
    metadata: { name },
    conditions: [condition],
  };
  return status;
}
