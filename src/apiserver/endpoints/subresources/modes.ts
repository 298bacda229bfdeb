import { badRequest } from '#machinery/errors/status-error.ts';
import { type Fields, fieldsOf, type KubeObject } from '#machinery/meta/types.ts';
import { keepAllBut, type WriteMode } from '../write/carry-over.ts';

/** `namespaces/finalize` writes `spec.finalizers` only. */
export const FINALIZE_MODE: WriteMode = {
  subresource: 'finalize',
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
  reset: (next, live) => {
    const { ephemeralContainers } = objectAt(next, 'spec');
    keepAllBut(next, live, []);
    const spec = objectAt(next, 'spec');
    if (ephemeralContainers !== undefined) spec['ephemeralContainers'] = ephemeralContainers;
  },
};

/** `pods/resize` writes the resources (and resize policy) of the containers that the pod has. */
export const RESIZE_MODE: WriteMode = {
  subresource: 'resize',
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

/** A field that is an object; a new empty one where it is absent. */
export function objectAt(object: KubeObject, name: string): Fields {
  const value = fieldsOf(object)[name];
  // Safe: a JSON object's fields are read one by one as unknown.
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
