import { type FieldError, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { CONTROLLER_REVISIONS } from '../../generated/resources.ts';
import type { ControllerRevision } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkNotNegative, type FieldErrors } from '../../validation/basics.ts';

export const controllerRevisions = defineKind(CONTROLLER_REVISIONS, {
  strategy: {
    validate,
    validateUpdate: (next, current) => [
      ...immutableField(next.data, current.data, new FieldPath('data')),
      ...validate(next),
    ],
  },
  columns: [
    nameColumn,
    column('Controller', 'Controller of the object', controllerCell),
    column(
      'Revision',
      'Revision indicates the revision of the state represented by Data.',
      (object) => object.revision,
    ),
    ageColumn,
  ],
});

function controllerCell({ metadata }: ControllerRevision): string {
  const owner = metadata.ownerReferences?.find((reference) => reference.controller === true);
  if (owner === undefined) return '<none>';
  const slash = owner.apiVersion.indexOf('/');
  const group = slash < 0 ? '' : `.${owner.apiVersion.slice(0, slash)}`;
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
}

function validate(revision: ControllerRevision): FieldError[] {
  const errors: FieldErrors = [];
  if (revision.data === undefined) errors.push(required(new FieldPath('data'), 'data is mandatory'));
  checkNotNegative(revision.revision, new FieldPath('revision'), errors);
  return errors;
}
