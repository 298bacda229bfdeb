import { duplicateValue, type FieldError } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField, validateLabels } from '#machinery/validation/metadata.ts';
import { isDns1123Label } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { checkResourceList } from '../../core/v1/pod/validation/resources.ts';
import { checkTolerations } from '../../core/v1/pod/validation/tolerations.ts';
import { RUNTIME_CLASSES } from '../../generated/resources.ts';
import type { RuntimeClass, Toleration } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';

const handlerPath = new FieldPath('handler');
const schedulingPath = new FieldPath('scheduling');

export const runtimeClasses = defineKind(RUNTIME_CLASSES, {
  strategy: {
    allowUnconditionalUpdate: false,
    validate,
    validateUpdate: (next, current) => immutableField(next.handler, current.handler, handlerPath),
  },
  columns: [nameColumn, column('Handler', "The runtime's name for the class.", ({ handler }) => handler), ageColumn],
});

function validate({ handler, overhead, scheduling }: RuntimeClass): FieldError[] {
  const errors: FieldErrors = [];
  checkMessages(isDns1123Label(handler ?? ''), handler ?? '', handlerPath, errors);
  checkResourceList(overhead?.podFixed ?? {}, new FieldPath('overhead').child('limits'), errors);
  if (scheduling?.nodeSelector !== undefined) {
    errors.push(...validateLabels(scheduling.nodeSelector, schedulingPath.child('nodeSelector')));
  }
  if (scheduling?.tolerations !== undefined) checkEach(scheduling.tolerations, errors);
  return errors;
}

/** The rules of a pod's tolerations, and none twice. */
function checkEach(tolerations: readonly Toleration[], errors: FieldErrors): void {
  const path = schedulingPath.child('tolerations');
  checkTolerations(tolerations, path, errors);
  const seen = new Set<string>();
  for (const [
    index,
    { key = '', operator = '', value = '', effect = '', tolerationSeconds },
  ] of tolerations.entries()) {
    const identity = JSON.stringify([key, operator, value, effect]);
    if (seen.has(identity)) {
      // Upstream prints its internal form.
      const internal = {
        Key: key,
        Operator: operator,
        Value: value,
        Effect: effect,
        TolerationSeconds: tolerationSeconds ?? null,
      };
      errors.push(duplicateValue(path.index(index), internal));
    }
    seen.add(identity);
  }
}
