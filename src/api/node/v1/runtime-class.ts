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
  columns: [nameColumn, column('Handler', "The runtime's name for the class.", ({ handler }) => handler), ageColumn],
});

function validate({ handler }: RuntimeClass): FieldError[] {
  const errors: FieldErrors = [];
  if ((handler ?? '') === '') errors.push(required(handlerPath, ''));
  else checkMessages(isDns1123Label(handler), handler, handlerPath, errors);
  return errors;
}
