import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1035Label } from '#machinery/validation/names.ts';
import type { CustomResourceDefinitionNames } from '../../../generated/types.ts';

/** Names must do in paths; kinds may be written in mixed case. */
export function validateNames(names: CustomResourceDefinitionNames, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const check = (name: string | undefined, at: FieldPath): void => {
    const problems = (name ?? '') === '' ? [] : isDns1035Label(name ?? '');
    if (problems.length > 0) errors.push(invalidValue(at, name, problems.join(',')));
  };
  check(names.plural, path.child('plural'));
  check(names.singular, path.child('singular'));
  for (const field of ['kind', 'listKind'] as const) {
    const kind = names[field] ?? '';
    const problems = kind === '' ? [] : isDns1035Label(kind.toLowerCase());
    if (problems.length === 0) continue;
    const detail = `may have mixed case, but should otherwise match: ${problems.join(',')}`;
    errors.push(invalidValue(path.child(field), kind, detail));
  }
  for (const [index, name] of (names.shortNames ?? []).entries()) {
    const problems = isDns1035Label(name);
    if (problems.length > 0) {
      errors.push(invalidValue(path.child('shortNames').index(index), name, problems.join(',')));
    }
  }
  if ((names.kind ?? '') !== '' && names.kind === names.listKind) {
    errors.push(invalidValue(path.child('listKind'), names.listKind, 'kind and listKind may not be the same'));
  }
  for (const [index, name] of (names.categories ?? []).entries()) {
    const problems = isDns1035Label(name);
    if (problems.length > 0) {
      errors.push(invalidValue(path.child('categories').index(index), name, problems.join(',')));
    }
  }
  return errors;
}
