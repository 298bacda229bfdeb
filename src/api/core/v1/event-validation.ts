import { invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { byteLength, isDns1123Subdomain, isQualifiedName } from '#machinery/validation/names.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';

const TEXT_BYTES_MAX = 128;
const NOTE_BYTES_MAX = 1024;

/** What both faces of an event have, by neutral names. */
export interface EventFacts {
  readonly namespace: string;
  /** The namespace of the object that the event is about. */
  readonly aboutNamespace: string;
  readonly eventTime: string | undefined;
  readonly controller: string;
  readonly instance: string;
  readonly action: string;
  readonly reason: string;
  readonly note: string;
}

/**
 * An event lives in the namespace of its object; those of cluster-scoped objects in `default`. One with an `eventTime`
 * comes from the newer recorder, which must say who reports what.
 */
export function checkEvent(
  event: EventFacts,
  names: { readonly about: string; readonly controller: string; readonly note: string },
  errors: FieldErrors,
): void {
  const isNew = event.eventTime !== undefined;
  const home = isNew ? 'kube-system' : '';
  const matches =
    event.aboutNamespace === ''
      ? event.namespace === 'default' || event.namespace === home
      : event.aboutNamespace === event.namespace;
  if (!matches) {
    const path = new FieldPath(names.about).child('namespace');
    errors.push(invalidValue(path, event.aboutNamespace, 'does not match event.namespace'));
  }
  if (isNew) {
    const controllerPath = new FieldPath(names.controller);
    if (event.controller === '') errors.push(required(controllerPath, ''));
    checkMessages(isQualifiedName(event.controller), event.controller, controllerPath, errors);
    checkText(event.instance, 'reportingInstance', errors);
    checkText(event.action, 'action', errors);
    checkText(event.reason, 'reason', errors);
    if (byteLength(event.note) > NOTE_BYTES_MAX) {
      errors.push(invalidValue(new FieldPath(names.note), '', `can have at most ${NOTE_BYTES_MAX} characters`));
    }
  }
  checkMessages(isDns1123Subdomain(event.namespace), event.namespace, new FieldPath('namespace'), errors);
}

function checkText(text: string, field: string, errors: FieldErrors): void {
  const path = new FieldPath(field);
  if (text === '') errors.push(required(path, ''));
  if (byteLength(text) > TEXT_BYTES_MAX) {
    errors.push(invalidValue(path, '', `can have at most ${TEXT_BYTES_MAX} characters`));
  }
}
