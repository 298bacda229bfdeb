import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { apiVersionOf } from '#machinery/meta/types.ts';
import type { Call } from '../call.ts';
import { invalidObject } from './options.ts';

/** A patch may say anything of a custom resource; what it then is, validation refuses (422). */
export function checkCustomType({ definition, context }: Call, patched: unknown): void {
  if (definition.isCustom !== true || typeof patched !== 'object' || patched === null) return;
  const { kind, apiVersion }: { kind?: unknown; apiVersion?: unknown } = patched;
  const wanted = apiVersionOf(definition);
  const errors: FieldError[] = [];
  if (kind !== definition.kind) {
    errors.push(invalidValue(new FieldPath('kind'), kind ?? '', `must be ${definition.kind}`));
  }
  if (apiVersion !== wanted) {
    errors.push(invalidValue(new FieldPath('apiVersion'), apiVersion ?? '', `must be ${wanted}`));
  }
  if (errors.length === 0) return;
  // The failure names the object as it would be.
  const shown = typeof kind === 'string' && kind !== '' ? kind : definition.kind;
  throw invalidObject({ group: definition.group, kind: shown, name: context.info.name }, errors);
}
