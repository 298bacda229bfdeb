import { validateEmbedded } from '#api/apiextensions/structural/embedded.ts';
import { propertyOf } from '#api/apiextensions/structural/json-schema.ts';
import { validateListTypes } from '#api/apiextensions/structural/list-types.ts';
import { validateValue } from '#api/apiextensions/structural/validate.ts';
import type { CustomResourceDefinitionVersion } from '#api/generated/types.ts';
import type { Strategy } from '#api/registry/resource.ts';
import { type FieldError, type FieldErrorReason, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { fieldsOf, type KubeObject } from '#machinery/meta/types.ts';
import type { CustomVersion } from './custom-version.ts';
import { finalizerWarnings } from './finalizer-warnings.ts';
import { validateScaleSpec, validateScaleStatus } from './scale-rules.ts';

const ROOT = new FieldPath();
/** Errors after which rules are not evaluated: the value is not what they were compiled for. */
const BLOCKING: ReadonlySet<FieldErrorReason> = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
] as const);

/** The rules of one version of a custom resource around a write. */
export function customStrategy(rules: CustomVersion, version: CustomResourceDefinitionVersion): Strategy {
  const scale = version.subresources?.scale;
  const hasStatus = version.subresources?.status !== undefined;
  const validate = (next: KubeObject): FieldError[] => {
    const errors = [
      ...validateValue(next, rules.schema, { path: ROOT }),
      ...validateScaleSpec(next, scale),
      ...validateScaleStatus(next, scale),
      ...validateEmbedded(next, rules.schema, { path: ROOT }),
      ...validateListTypes(next, rules.schema, ROOT),
    ];
    return withRules(errors, rules, next, undefined);
  };
  const validateUpdate = (next: KubeObject, current: KubeObject): FieldError[] => {
    const errors = [
      ...validateValue(next, rules.schema, { path: ROOT, old: { value: current } }),
      ...validateScaleSpec(next, scale),
      ...validateScaleStatus(next, scale),
      ...validateEmbedded(next, rules.schema, { path: ROOT }),
      ...newListErrors(rules, next, current),
    ];
    return withRules(errors, rules, next, current);
  };
  return {
    hasGeneration: true,
    statusRaisesGeneration: !hasStatus,
    allowUnconditionalUpdate: false,
    applyDefaults: (next) => rules.applyDefaults(next),
    // What admission has added is pruned and defaulted like what clients send.
    prepareForCreate: (next) => {
      if (hasStatus) delete fieldsOf(next)['status'];
      rules.refresh(next, { defaults: true });
    },
    prepareForUpdate: (next) => rules.refresh(next, { defaults: true }),
    prepareForStatusUpdate: (next) => rules.refresh(next, { defaults: true }),
    validate,
    validateUpdate,
    validateStatusUpdate: (next, current) => {
      const errors = [
        ...validateStatus(rules, next, current),
        ...validateScaleStatus(next, scale),
        ...newListErrors(rules, next, current),
      ];
      return withRules(errors, rules, next, current);
    },
    warnings: (next, current) => finalizerWarnings(next, current),
    ...(scale === undefined
      ? {}
      : {
          scale: {
            specReplicas: scale.specReplicasPath,
            statusReplicas: scale.statusReplicasPath,
            selector: scale.labelSelectorPath ?? '',
          },
        }),
  };
}

function validateStatus(rules: CustomVersion, next: KubeObject, current: KubeObject): FieldError[] {
  const schema = propertyOf(rules.schema, 'status');
  const { status } = fieldsOf(next);
  if (schema === undefined || status === undefined) return [];
  const before = fieldsOf(current)['status'];
  return validateValue(status, schema, {
    path: new FieldPath('status'),
    old: before === undefined ? undefined : { value: before },
  });
}

// Lists that were wrong before an update may stay wrong.
function newListErrors(rules: CustomVersion, next: KubeObject, current: KubeObject): FieldError[] {
  const errors = validateListTypes(next, rules.schema, ROOT);
  return errors.length > 0 && validateListTypes(current, rules.schema, ROOT).length > 0 ? [] : errors;
}

function withRules(
  errors: FieldError[],
  rules: CustomVersion,
  next: KubeObject,
  current: KubeObject | undefined,
): FieldError[] {
  if (!rules.hasValidationRules) return errors;
  if (errors.some(({ reason }) => BLOCKING.has(reason))) {
    const detail =
      'some validation rules were not checked because the object was invalid; correct the existing errors to ' +
      'complete validation';
    return [...errors, invalidValue(ROOT, 'null', detail)];
  }
  return [...errors, ...rules.evaluateRules(next, current)];
}
