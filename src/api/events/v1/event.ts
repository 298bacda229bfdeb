import { deepCopy } from '#machinery/codec/deep.ts';
import { type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { column, since } from '../../columns/common.ts';
import { EVENT_TTL_SECONDS } from '../../core/v1/event.ts';
import { checkEvent } from '../../core/v1/event-validation.ts';
import { EVENTS_V1_EVENTS } from '../../generated/resources.ts';
import type { CoreEvent, EventsV1Event } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import type { FieldErrors } from '../../validation/basics.ts';

/** The newer face of the one kind of event: fields have other names, the store holds core/v1. */
export const eventsV1Events = defineKind(EVENTS_V1_EVENTS, {
  ttlSeconds: EVENT_TTL_SECONDS,
  strategy: { allowCreateOnUpdate: true, validate },
  columns: [
    column('Last Seen', 'Time when this event was last observed', (event, nowMs) =>
      since(
        event.series?.lastObservedTime ??
          event.deprecatedLastTimestamp ??
          event.deprecatedFirstTimestamp ??
          event.eventTime,
        nowMs,
      ),
    ),
    column('Type', 'Normal or Warning.', (event) => event.type ?? ''),
    column('Reason', 'reason is why the action was taken.', (event) => event.reason ?? ''),
    column(
      'Object',
      'The object that this event is about.',
      ({ regarding }) => `${(regarding?.kind ?? '').toLowerCase()}/${regarding?.name ?? ''}`,
    ),
    column('Message', 'note is a human-readable description of the status of this operation.', (event) =>
      (event.note ?? '').trim(),
    ),
  ],
  selectableFields: {
    'regarding.kind': (event) => event.regarding?.kind ?? '',
    'regarding.namespace': (event) => event.regarding?.namespace ?? '',
    'regarding.name': (event) => event.regarding?.name ?? '',
    'regarding.uid': (event) => event.regarding?.uid ?? '',
    'regarding.apiVersion': (event) => event.regarding?.apiVersion ?? '',
    'regarding.resourceVersion': (event) => event.regarding?.resourceVersion ?? '',
    'regarding.fieldPath': (event) => event.regarding?.fieldPath ?? '',
    reason: (event) => event.reason ?? '',
    reportingController: (event) => event.reportingController ?? '',
    type: (event) => event.type ?? '',
  },
  storedAs: { group: '', version: 'v1', kind: 'Event', toStored, fromStored },
});

function validate(event: EventsV1Event): FieldError[] {
  const errors: FieldErrors = [];
  checkEvent(
    {
      namespace: event.metadata.namespace ?? '',
      aboutNamespace: event.regarding?.namespace ?? '',
      eventTime: event.eventTime,
      controller: event.reportingController ?? '',
      instance: event.reportingInstance ?? '',
      action: event.action ?? '',
      reason: event.reason ?? '',
      note: event.note ?? '',
    },
    { about: 'involvedObject', controller: 'reportingController', note: 'message' },
    errors,
  );
  if (event.eventTime === undefined) errors.push(required(new FieldPath('eventTime'), ''));
  if (event.type !== 'Normal' && event.type !== 'Warning') {
    errors.push(invalidValue(new FieldPath('type'), '', `has invalid value: ${event.type ?? ''}`));
  }
  return errors;
}

/** Names of the same field in events.k8s.io/v1 and in core/v1. */
const renamed: readonly (readonly [keyof EventsV1Event, keyof CoreEvent])[] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
  ['reportingController', 'reportingComponent'],
];

function toStored(served: KubeObject): KubeObject {
  return rename(served, 'v1', new Map(renamed));
}

function fromStored(stored: KubeObject): KubeObject {
  return rename(stored, 'events.k8s.io/v1', new Map(renamed.map(([served, core]) => [core, served])));
}

function rename(object: KubeObject, apiVersion: string, names: ReadonlyMap<string, string>): KubeObject {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(deepCopy(object))) result[names.get(key) ?? key] = value;
  result['apiVersion'] = apiVersion;
  return result as unknown as KubeObject; // Safe: the fields of an event under their other names.
}
