import type { Pod } from '#api/generated/types.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import { forbidden, type StatusError } from '#machinery/errors/status-error.ts';
import type { Random } from '#machinery/random/random.ts';
import type { AdmissionRequest } from '../pipeline/types.ts';
import type { ResourceView } from '../server-parts.ts';

/** What admission plugins may look at. */
export interface AdmissionDeps {
  readonly view: (group: string, resource: string) => ResourceView;
  readonly random: Random;
  readonly clock: Clock;
}

/** A refusal that names the object as upstream's admission does: before its name is generated, by its prefix. */
export function refuse(request: AdmissionRequest, detail: string): StatusError {
  const { info, object } = request;
  return forbidden({ group: info.group, resource: info.resource, name: objectName(request, object) }, detail);
}

function objectName({ info }: AdmissionRequest, object: AdmissionRequest['object']): string {
  if (info.name !== '') return info.name;
  const { name = '', generateName = '' } = object?.metadata ?? {};
  if (name !== '') return name;
  return generateName === '' ? 'Unknown' : generateName;
}

/** The pod of a write to `pods` itself; `undefined` for other resources and subresources. */
export function podOf(request: AdmissionRequest): Pod | undefined {
  const { info, object } = request;
  if (info.group !== '' || info.resource !== 'pods' || info.subresource !== '') return undefined;
  // Safe: what is written to pods is a Pod.
  return object as Pod | undefined;
}

/** The pod before the write. */
export function oldPodOf(request: AdmissionRequest): Pod | undefined {
  // Safe: as above.
  return request.info.resource === 'pods' ? (request.oldObject as Pod | undefined) : undefined;
}

export function isResource(request: AdmissionRequest, group: string, resource: string): boolean {
  return request.info.group === group && request.info.resource === resource;
}
