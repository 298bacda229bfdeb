import { deepCopy, deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { EVENT_TTL_SECONDS, events } from '../../core/v1/event.ts';
import { checkEvent } from '../../core/v1/event-validation.ts';
import { EVENTS_V1_EVENTS } from '../../generated/resources.ts';
import type { CoreEvent, EventsV1Event } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { type FieldErrors, IMMUTABLE } from '../../validation/basics.ts';

/** The newer face of the one kind of event: fields have other names, the store holds core/v1. */
export const eventsV1Events = defineKind(EVENTS_V1_EVENTS, {
  ttlSeconds: EVENT_TTL_SECONDS,
  strategy: { allowCreateOnUpdate: true, validate, validateUpdate },
  columns: (events.columns ?? []).map((shown) => ({
    ...shown,
    cell: (event: KubeObject, nowMs: number) => shown.cell(toStored(event), nowMs),
  })),
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
  const errors = checkCommon(event);
  checkSeries(event, errors);
  if (event.eventTime === undefined) errors.push(required(new FieldPath('eventTime'), ''));
  if (event.type !== 'Normal' && event.type !== 'Warning') {
    errors.push(invalidValue(new FieldPath('type'), '', `has invalid value: ${event.type ?? ''}`));
  }
  for (const [field, isSet] of [
    ['firstTimestamp', event.deprecatedFirstTimestamp !== undefined],
    ['lastTimestamp', event.deprecatedLastTimestamp !== undefined],
    ['count', (event.deprecatedCount ?? 0) !== 0],
    ['source', Object.values(event.deprecatedSource ?? {}).some((text) => text !== '')],
  ] as const) {
    if (isSet) errors.push(invalidValue(new FieldPath(field), '', 'needs to be unset'));
  }
  return errors;
}

/** The rules of core/v1, which hold for both faces. */
function checkCommon(event: EventsV1Event): FieldErrors {
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
  return errors;
}

function checkSeries({ series }: EventsV1Event, errors: FieldErrors): void {
  if (series === undefined) return;
  if ((series.count ?? 0) < 2) errors.push(invalidValue(new FieldPath('series.count'), '', 'should be at least 2'));
  if ((series.lastObservedTime ?? '') === '') errors.push(required(new FieldPath('series.lastObservedTime'), ''));
}

/** What an event of this version may not change, by the names that messages use. Upstream looks at the reason twice. */
const immutableFields: readonly (readonly [keyof EventsV1Event, string])[] = [
  ['regarding', 'involvedObject'],
  ['reason', 'reason'],
  ['note', 'message'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
  ['reason', 'reason'],
  ['type', 'type'],
  ['eventTime', 'eventTime'],
  ['action', 'action'],
  ['related', 'related'],
  ['reportingController', 'reportingController'],
  ['reportingInstance', 'reportingInstance'],
];

function validateUpdate(next: EventsV1Event, current: EventsV1Event): FieldError[] {
  const errors = checkCommon(next);
  if (!deepEqual(next.series, current.series)) checkSeries(next, errors);
  for (const [field, name] of immutableFields) {
    // An empty object is none, and so is an empty text or zero.
    const isSame = deepEqual(filled(next[field]), filled(current[field]));
    if (!isSame) errors.push(invalidValue(new FieldPath(name), next[field] ?? null, IMMUTABLE));
  }
  return errors;
}

function filled(value: unknown): unknown {
  if (value === '' || value === 0) return undefined;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0 ? undefined : value;
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
