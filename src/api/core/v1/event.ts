import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { column, since } from '../../columns/common.ts';
import { EVENTS } from '../../generated/resources.ts';
import type { CoreEvent } from '../../generated/types.ts';
import { defineKind, type KindColumn } from '../../registry/kind.ts';

export const EVENT_TTL_SECONDS = 3600;

const columns: readonly KindColumn<CoreEvent>[] = [
  column('Last Seen', 'Time when this event was last observed', lastSeen),
  column(
    'Type',
    'Type of this event (Normal, Warning), new types could be added in the future.',
    (event) => event.type ?? '',
  ),
  column(
    'Reason',
    "This should be a short, machine understandable string that gives the reason for the transition into the object's current status.",
    (event) => event.reason ?? '',
  ),
  column('Object', 'The object that this event is about.', objectCell),
  column('Subobject', 'Part of the object this event is about.', (event) => event.involvedObject.fieldPath ?? '', {
    wide: true,
  }),
  column('Source', 'The component reporting this event.', sourceCell, { wide: true }),
  column('Message', 'A human-readable description of the status of this operation.', (event) =>
    (event.message ?? '').trim(),
  ),
  column(
    'First Seen',
    'The time at which the event was first recorded. (Time of server receipt is in TypeMeta.)',
    firstSeen,
    {
      wide: true,
    },
  ),
  column('Count', 'The number of times this event has occurred.', countCell, { wide: true }),
  column(
    'Name',
    'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names',
    (event) => event.metadata.name ?? '',
    { wide: true, format: 'name' },
  ),
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

/** An event lives in the namespace of its object; those of cluster-scoped objects in `default`. */
function validate(event: CoreEvent): FieldError[] {
  const path = new FieldPath('involvedObject.namespace');
  const about = event.involvedObject.namespace ?? '';
  const own = event.metadata.namespace ?? '';
  const matches = about === '' ? own === 'default' || own === '' || own === 'kube-system' : about === own;
  return matches ? [] : [invalidValue(path, about, 'does not match event.namespace')];
}
