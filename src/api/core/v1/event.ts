import type { FieldError } from '#machinery/field/field-error.ts';
import { column, since } from '../../columns/common.ts';
import { EVENTS } from '../../generated/resources.ts';
import type { CoreEvent } from '../../generated/types.ts';
import { defineKind, type KindColumn } from '../../registry/kind.ts';
import type { FieldErrors } from '../../validation/basics.ts';
import { checkEvent } from './event-validation.ts';

export const EVENT_TTL_SECONDS = 3600;

const columns: readonly KindColumn<CoreEvent>[] = [
  column('Last Seen', 'Time when this event was last observed', lastSeen),
  column('Type', 'Normal or Warning.', (event) => event.type ?? ''),
  column('Reason', 'Why the event happened, in one word.', (event) => event.reason ?? ''),
  column('Object', 'The object that this event is about.', objectCell),
  column('Subobject', 'Part of the object this event is about.', (event) => event.involvedObject.fieldPath ?? '', {
    wide: true,
  }),
  column('Source', 'The component reporting this event.', sourceCell, { wide: true }),
  column('Message', 'A human-readable description of the status of this operation.', (event) =>
    (event.message ?? '').trim(),
  ),
  column('First Seen', 'When the event was first observed.', firstSeen, {
    wide: true,
  }),
  column('Count', 'The number of times this event has occurred.', countCell, { wide: true }),
  column('Name', 'The name of the event.', (event) => event.metadata.name ?? '', { wide: true, format: 'name' }),
];

export const events = defineKind(EVENTS, {
  ttlSeconds: EVENT_TTL_SECONDS,
  strategy: { allowCreateOnUpdate: true, validate, validateUpdate: (next) => validate(next) },
  columns,
  selectableFields: {
    'involvedObject.kind': (event) => event.involvedObject.kind ?? '',
    'involvedObject.namespace': (event) => event.involvedObject.namespace ?? '',
    'involvedObject.name': (event) => event.involvedObject.name ?? '',
    'involvedObject.uid': (event) => event.involvedObject.uid ?? '',
    'involvedObject.apiVersion': (event) => event.involvedObject.apiVersion ?? '',
    'involvedObject.resourceVersion': (event) => event.involvedObject.resourceVersion ?? '',
    'involvedObject.fieldPath': (event) => event.involvedObject.fieldPath ?? '',
    reason: (event) => event.reason ?? '',
    reportingComponent: (event) => event.reportingComponent ?? '',
    source: (event) => event.source?.component ?? event.reportingComponent ?? '',
    type: (event) => event.type ?? '',
  },
});

function firstSeen(event: CoreEvent, nowMs: number): string {
  return since(event.firstTimestamp ?? event.eventTime, nowMs);
}

function lastSeen(event: CoreEvent, nowMs: number): string {
  const first = event.firstTimestamp ?? event.eventTime;
  if (event.series?.lastObservedTime !== undefined) return since(event.series.lastObservedTime, nowMs);
  return since(event.lastTimestamp ?? first, nowMs);
}

function countCell(event: CoreEvent): number {
  if (event.series !== undefined) return event.series.count ?? 0;
  return (event.count ?? 0) === 0 ? 1 : (event.count ?? 1);
}

function objectCell(event: CoreEvent): string {
  const kind = (event.involvedObject.kind ?? '').toLowerCase();
  const name = event.involvedObject.name ?? '';
  return name === '' ? kind : `${kind}/${name}`;
}

function sourceCell(event: CoreEvent): string {
  const component = event.source?.component ?? event.reportingComponent ?? '';
  const host = event.source?.host ?? event.reportingInstance ?? '';
  return host === '' ? component : `${component}, ${host}`;
}

function validate(event: CoreEvent): FieldError[] {
  const errors: FieldErrors = [];
  checkEvent(
    {
      namespace: event.metadata.namespace ?? '',
      aboutNamespace: event.involvedObject.namespace ?? '',
      eventTime: event.eventTime,
      controller: event.reportingComponent ?? '',
      instance: event.reportingInstance ?? '',
      action: event.action ?? '',
      reason: event.reason ?? '',
      note: event.message ?? '',
    },
    { about: 'involvedObject', controller: 'reportingController', note: 'message' },
    errors,
  );
  return errors;
}
