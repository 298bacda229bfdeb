import { type FieldError, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { isDns1123Label } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { RUNTIME_CLASSES } from '../../generated/resources.ts';
import type { RuntimeClass } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';

const handlerPath = new FieldPath('handler');

export const runtimeClasses = defineKind(RUNTIME_CLASSES, {
  strategy: {
    validate,
    validateUpdate: (next, current) => [
      ...validate(next),
      ...immutableField(next.handler, current.handler, handlerPath),
    ],
  },
  columns: [
    nameColumn,
    column(
      'Handler',
      'handler specifies the underlying runtime and configuration that the CRI implementation will use to handle pods of this class. The possible values are specific to the node & CRI configuration.  It is assumed that all handlers are available on every node, and handlers of the same name are equivalent on every node. For example, a handler called "runc" might specify that the runc OCI runtime (using native Linux containers) will be used to run the containers in a pod. The Handler must be lowercase, conform to the DNS Label (RFC 1123) requirements, and is immutable.',
      ({ handler }) => handler,
    ),
    ageColumn,
  ],
});

function validate({ handler }: RuntimeClass): FieldError[] {
  const errors: FieldErrors = [];
  if ((handler ?? '') === '') errors.push(required(handlerPath, ''));
  else checkMessages(isDns1123Label(handler), handler, handlerPath, errors);
  return errors;
}
