import { specDifference } from '#api/core/v1/pod/validation/difference.ts';
import { validatePod } from '#api/core/v1/pod/validation/pod-spec.ts';
import type { Pod } from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { badRequest } from '#machinery/errors/status-error.ts';
import { type FieldError, forbiddenValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { type Fields, fieldsOf, type KubeObject } from '#machinery/meta/types.ts';
import { keepAllBut, type WriteMode } from '../write/carry-over.ts';

/** `namespaces/finalize` writes `spec.finalizers` only. */
export const FINALIZE_MODE: WriteMode = {
  subresource: 'finalize',
  rules: 'own',
  raisesGeneration: false,
  reset: (next, live) => {
    const finalizers = objectAt(next, 'spec')['finalizers'];
    keepAllBut(next, live, []);
    const spec = objectAt(next, 'spec');
    if (Array.isArray(finalizers) && finalizers.length > 0) spec['finalizers'] = finalizers;
    else delete spec['finalizers'];
    fieldsOf(next)['spec'] = spec;
  },
};

/** `certificatesigningrequests/approval` writes the conditions of the status only. */
export const APPROVAL_MODE: WriteMode = {
  subresource: 'approval',
  rules: 'own',
  raisesGeneration: false,
  reset: (next, live) => {
    const { conditions } = objectAt(next, 'status');
    keepAllBut(next, live, []);
    const status = objectAt(next, 'status');
    if (conditions === undefined) delete status['conditions'];
    else status['conditions'] = conditions;
    fieldsOf(next)['status'] = status;
  },
};

/** `pods/ephemeralcontainers` writes `spec.ephemeralContainers` only. */
export const EPHEMERAL_CONTAINERS_MODE: WriteMode = {
  subresource: 'ephemeralcontainers',
  rules: 'own',
  raisesGeneration: true,
  reset: (next, live) => {
    const { ephemeralContainers } = objectAt(next, 'spec');
    keepAllBut(next, live, []);
    const spec = objectAt(next, 'spec');
    if (ephemeralContainers === undefined) delete spec['ephemeralContainers'];
    else spec['ephemeralContainers'] = ephemeralContainers;
  },
  validate: (next, live) => {
    if (live.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) {
      return [forbiddenValue(new FieldPath().key(''), 'static pods do not support ephemeral containers')];
    }
    // Safe: this mode is for pods only, and schema decoding gave them their shape.
    return [...validatePod(next as Pod, live as Pod), ...changedEphemeralContainers(next, live)];
  },
};

/** Containers that were added once stay as they are. */
function changedEphemeralContainers(next: KubeObject, live: KubeObject): FieldError[] {
  const path = new FieldPath('spec.ephemeralContainers');
  const wanted = new Map(named(objectAt(next, 'spec')['ephemeralContainers']));
  return named(objectAt(live, 'spec')['ephemeralContainers']).flatMap(([name, container]) => {
    const found = wanted.get(name);
    const subject = `existing ephemeral containers ${JSON.stringify(name)}`;
    if (found === undefined) return [forbiddenValue(path, `${subject} may not be removed\n`)];
    if (deepEqual(found, container)) return [];
    return [forbiddenValue(path, `${subject} may not be changed\n${specDifference(container, found)}`)];
  });
}

/** `pods/resize` writes the resources (and resize policy) of the containers that the pod has. */
export const RESIZE_MODE: WriteMode = {
  subresource: 'resize',
  rules: 'own',
  raisesGeneration: true,
  reset: (next, live) => {
    const wanted = objectAt(next, 'spec');
    keepAllBut(next, live, []);
    const spec = objectAt(next, 'spec');
    for (const field of ['containers', 'initContainers']) resizeContainers(spec[field], wanted[field]);
    if (wanted['resources'] !== undefined) spec['resources'] = wanted['resources'];
  },
};

export function checkResizable(live: KubeObject): void {
  const { phase } = objectAt(live, 'status');
  if (phase === 'Failed' || phase === 'Succeeded') {
    throw badRequest(`Pod is in terminal phase ${phase} and cannot be resized`);
  }
}

function resizeContainers(current: unknown, wanted: unknown): void {
  if (!Array.isArray(current) || !Array.isArray(wanted)) return;
  for (const container of current) {
    const match: unknown = wanted.find((other: { name?: unknown }) => other.name === container.name);
    if (typeof match !== 'object' || match === null) continue;
    for (const field of ['resources', 'resizePolicy']) {
      // Safe: schema decoding made sure that containers are objects.
      const value = (match as Fields)[field];
      if (value !== undefined) container[field] = value;
    }
  }
}

function named(list: unknown): [string, unknown][] {
  if (!Array.isArray(list)) return [];
  return list.map((item: { name?: unknown }) => [String(item.name), item]);
}

/** A field that is an object; a new empty one where it is absent. */
export function objectAt(object: KubeObject, name: string): Fields {
  const value = fieldsOf(object)[name];
  // Safe: a JSON object's fields are read one by one as unknown.
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
