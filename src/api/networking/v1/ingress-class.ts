import { type FieldError, forbiddenValue, notSupported, required, tooLong } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { isDns1123Label, isDns1123Subdomain } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { INGRESS_CLASSES } from '../../generated/resources.ts';
import type { IngressClass, IngressClassParametersReference } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { checkDomainPrefixedPath } from '../../validation/domain-path.ts';
import { checkSegment } from './ingress.ts';

const specPath = new FieldPath('spec');
const CONTROLLER_BYTES_MAX = 250;

export const ingressClasses = defineKind(INGRESS_CLASSES, {
  strategy: {
    hasGeneration: true,
    applyDefaults(next) {
      if (next.spec?.parameters !== undefined) next.spec.parameters.scope ??= 'Cluster';
    },
    validate,
    validateUpdate: (next, current) => [
      ...immutableField(next.spec?.controller, current.spec?.controller, specPath.child('controller')),
      ...validate(next),
    ],
  },
  columns: [
    nameColumn,
    column(
      'Controller',
      'Controller that is responsible for handling this class',
      ({ spec }) => spec?.controller ?? '',
    ),
    column('Parameters', 'A reference to a resource with additional parameters', ({ spec }) => {
      const parameters = spec?.parameters;
      if (parameters === undefined) return '<none>';
      const group = parameters.apiGroup === undefined ? '' : `.${parameters.apiGroup}`;
      return `${parameters.kind}${group}/${parameters.name}`;
    }),
    ageColumn,
  ],
});

function validate({ spec }: IngressClass): FieldError[] {
  const errors: FieldErrors = [];
  const path = specPath.child('controller');
  const { controller = '', parameters } = spec ?? {};
  if (Buffer.byteLength(controller) > CONTROLLER_BYTES_MAX) errors.push(tooLong(path, CONTROLLER_BYTES_MAX));
  checkDomainPrefixedPath(controller, path, errors);
  if (parameters !== undefined) checkParameters(parameters, specPath.child('parameters'), errors);
  return errors;
}

function checkParameters(reference: IngressClassParametersReference, path: FieldPath, errors: FieldErrors): void {
  const { apiGroup, kind, name, scope, namespace } = reference;
  if (apiGroup !== undefined) checkMessages(isDns1123Subdomain(apiGroup), apiGroup, path.child('apiGroup'), errors);
  checkSegment(kind, path.child('kind'), errors);
  checkSegment(name, path.child('name'), errors);
  const namespacePath = path.child('namespace');
  switch (scope) {
    case undefined:
      errors.push(required(path.child('scope'), ''));
      break;
    case 'Namespace':
      if (namespace === undefined) errors.push(required(namespacePath, "`parameters.scope` is set to 'Namespace'"));
      else checkMessages(isDns1123Label(namespace), namespace, namespacePath, errors);
      break;
    case 'Cluster':
      if (namespace !== undefined) {
        errors.push(forbiddenValue(namespacePath, "`parameters.scope` is set to 'Cluster'"));
      }
      break;
    default:
      errors.push(notSupported(path.child('scope'), scope, ['Cluster', 'Namespace']));
  }
}
