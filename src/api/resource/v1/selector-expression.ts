import type { CelEnvironment } from '#machinery/cel/environment.ts';
import type { TypeProvider } from '#machinery/cel/checker/type-provider.ts';
import { compilationErrorText } from '#machinery/cel/errors.ts';
import { kubernetesEnvironment } from '#machinery/cel/kubernetes/environment.ts';
import { QUANTITY } from '#machinery/cel/kubernetes/types.ts';
import { BOOL, DYN, mapType, STRING, structType } from '#machinery/cel/types/type.ts';
import { invalidValue, required, tooLong } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { FieldErrors } from '../../validation/basics.ts';

const EXPRESSION_BYTES_MAX = 10 * 1024;
const DEVICE = 'kubernetes.DRADevice';

/** What a selector sees of a device: attributes and capacities by domain and name. */
const FIELDS = {
  driver: STRING,
  attributes: mapType(STRING, mapType(STRING, DYN)),
  capacity: mapType(STRING, mapType(STRING, QUANTITY)),
  allowMultipleAllocations: BOOL,
} as const;

const DEVICE_TYPES: TypeProvider = {
  findType: (name) => (name === DEVICE ? structType(DEVICE) : undefined),
  findField: (_typeName, field) =>
    // Safe: only the names of the table pass.
    Object.hasOwn(FIELDS, field) ? { type: FIELDS[field as keyof typeof FIELDS] } : undefined,
};

let environment: CelEnvironment | undefined;

/** The environment of device selectors; also what a scheduler evaluates them in. */
export function selectorEnvironment(): CelEnvironment {
  environment ??= kubernetesEnvironment().extend({
    variables: { device: structType(DEVICE) },
    provider: DEVICE_TYPES,
  });
  return environment;
}

/** The CEL expression of a device selector. */
export function checkSelectorExpression(expression: string, path: FieldPath, errors: FieldErrors): void {
  if (expression === '') {
    errors.push(required(path, ''));
    return;
  }
  if (Buffer.byteLength(expression) > EXPRESSION_BYTES_MAX) {
    errors.push(tooLong(path, EXPRESSION_BYTES_MAX));
    return;
  }
  const result = selectorEnvironment().compile(expression);
  if (!result.ok) errors.push(invalidValue(path, expression, compilationErrorText(result.issues, expression)));
  else if (result.outputType.kind !== 'bool' && result.outputType.kind !== 'dyn') {
    const detail = `must evaluate to bool or the unknown type, not ${result.outputType.display}`;
    errors.push(invalidValue(path, expression, detail));
  }
}
