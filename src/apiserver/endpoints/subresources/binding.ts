import { deepCopy } from '#machinery/codec/deep.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { badRequest, conflict } from '#machinery/errors/status-error.ts';
import { invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { type Condition, type Fields, fieldsOf, type KubeObject } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../../pipeline/types.ts';
import type { Call } from '../call.ts';
import { respondValue } from '../representation/respond.ts';
import { admissionRequest, admitMutating, admitValidating } from '../write/admit.ts';
import { readBody } from '../write/body.ts';
import type { WriteMode } from '../write/carry-over.ts';
import { invalidObject, writeOptions } from '../write/options.ts';
import { updateObject } from '../write/update.ts';
import { objectAt } from './modes.ts';

export const SUCCESS = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };

const BINDING_MODE: WriteMode = { subresource: 'binding', rules: 'own', raisesGeneration: false, reset: () => {} };

interface Binding extends KubeObject {
  target?: { kind?: string; name?: string };
}

/** POST `pods/NAME/binding` (and, older, `bindings`): puts a pod on a node. */
export async function binding(call: Call): Promise<ApiResponse> {
  const options = writeOptions(call.context, { kind: 'CreateOptions' });
  const { value } = await readBody(call.context, 'Binding');
  if (typeof value !== 'object' || value === null) throw badRequest('cannot decode Binding: it must be an object');
  // Safe: fields are checked below before they are used.
  const given = value as Partial<Binding>;
  const body: Binding = { ...given, kind: 'Binding', apiVersion: 'v1', metadata: given.metadata ?? {} };
  const name = call.context.info.name === '' ? (body.metadata.name ?? '') : call.context.info.name;
  if (body.metadata.name !== undefined && body.metadata.name !== '' && body.metadata.name !== name) {
    throw badRequest('name in URL does not match name in Binding object');
  }
  const node = checkTarget(body, name);
  const admission = admissionRequest(call, {
    operation: 'CREATE',
    object: body,
    kind: 'Binding',
    isDryRun: options.isDryRun,
  });
  await admitMutating(call, admission);
  await admitValidating(call, admission);
  await updateObject(call, {
    name,
    mode: BINDING_MODE,
    options,
    // As upstream: who schedules owns no fields.
    keepsManagedFields: true,
    check: (live) => checkPod(live, { name, body }),
    change: (live) => assigned(call, live, { node, body }),
  });
  return respondValue(call, SUCCESS, 201);
}

function checkTarget({ target }: Binding, name: string): string {
  const path = new FieldPath('target');
  const { kind = '', name: node = '' } = target ?? {};
  const errors = [];
  if (kind !== '' && kind !== 'Node') {
    errors.push({
      ...invalidValue(path.child('kind'), kind, ''),
      message: `Unsupported value: "${kind}": supported values: "Node", "<empty>"`,
    });
  }
  if (node === '') errors.push(required(path.child('name'), ''));
  if (errors.length > 0) throw invalidObject({ group: '', kind: 'Binding', name }, errors);
  return node;
}

function checkPod(pod: KubeObject, { name, body }: { name: string; body: Binding }): void {
  const target = { group: '', resource: 'pods/binding', name };
  const spec = objectAt(pod, 'spec');
  const { uid = '' } = body.metadata;
  if (uid !== '' && uid !== pod.metadata.uid) {
    const detail = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid ?? ''}`;
    throw conflict(target, detail);
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    throw conflict(target, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  const node = spec['nodeName'];
  if (typeof node === 'string' && node !== '') {
    throw conflict(target, `pod ${name} is already assigned to node ${JSON.stringify(node)}`);
  }
  const gates = spec['schedulingGates'];
  if (Array.isArray(gates) && gates.length > 0)
    throw conflict(target, `pod ${name} has non-empty .spec.schedulingGates`);
}

function assigned(call: Call, live: KubeObject, { node, body }: { node: string; body: Binding }): KubeObject {
  const pod = deepCopy(live);
  objectAt(pod, 'spec')['nodeName'] = node;
  const { annotations, labels } = body.metadata;
  if (annotations !== undefined) pod.metadata.annotations = { ...pod.metadata.annotations, ...annotations };
  if (labels !== undefined) pod.metadata.labels = { ...pod.metadata.labels, ...labels };
  const status: Fields = objectAt(pod, 'status');
  fieldsOf(pod)['status'] = status;
  const now = formatTime(call.core.executor.clock.now());
  const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: now };
  // Safe: the pod passed its schema, where these are conditions.
  const before = (Array.isArray(status['conditions']) ? status['conditions'] : []) as Condition[];
  status['conditions'] = [...before.filter(({ type }) => type !== 'PodScheduled'), scheduled];
  return pod;
}
