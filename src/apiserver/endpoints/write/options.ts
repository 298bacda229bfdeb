import { invalid } from '#machinery/errors/status-error.ts';
import type { FieldError } from '#machinery/field/field-error.ts';
import { fieldErrorText, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { validateFieldManager } from '#machinery/validation/metadata.ts';
import { isTrue } from '../../pipeline/request-info.ts';
import type { RequestContext } from '../../pipeline/types.ts';

export interface WriteOptions {
  readonly isDryRun: boolean;
  /** Who owns the fields that this write sets. */
  readonly manager: string;
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict';
  /** For apply: takes over fields that others own. */
  readonly isForced: boolean;
}

const MANAGER_LENGTH_MAX = 128;
const VALIDATIONS = ['Ignore', 'Warn', 'Strict'] as const;

/** The query parameters of a write; 422 in upstream's words where they are wrong. */
export function writeOptions(
  { request }: RequestContext,
  { kind, isApply = false }: { kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions'; isApply?: boolean },
): WriteOptions {
  const { query } = request;
  if (query.size === 0 && !isApply)
    return { isDryRun: false, manager: agentOf(request.headers), fieldValidation: 'Warn', isForced: false };
  const errors: FieldError[] = [];
  const isDryRun = dryRunOf(query.getAll('dryRun'), errors);
  const manager = query.get('fieldManager') ?? '';
  const managerPath = new FieldPath('fieldManager');
  if (isApply && manager === '') errors.push(required(managerPath, 'is required for apply patch'));
  errors.push(...validateFieldManager(manager, managerPath));
  if (!isApply && query.has('force') && kind === 'PatchOptions') {
    errors.push({
      reason: 'FieldValueForbidden',
      field: 'force',
      message: 'Forbidden: may not be specified for non-apply patch',
    });
  }
  const validation = query.get('fieldValidation') ?? '';
  const fieldValidation = validation === '' ? 'Warn' : VALIDATIONS.find((known) => known === validation);
  if (fieldValidation === undefined) {
    errors.push(notSupported(new FieldPath('fieldValidation'), validation, ['', 'Ignore', 'Strict', 'Warn']));
  }
  if (errors.length > 0) throw invalidOptions(kind, errors);
  return {
    isDryRun,
    manager: manager === '' ? agentOf(request.headers) : manager,
    fieldValidation: fieldValidation ?? 'Warn',
    isForced: isTrue(query.get('force')),
  };
}

/** The options of a write as the object that admission sees. A patch counts as what it does: a create or an update. */
export function queryOptions(kind: string, query: URLSearchParams): Readonly<Record<string, unknown>> {
  const dryRun = query.getAll('dryRun').filter((value) => value !== '');
  const manager = query.get('fieldManager') ?? '';
  const validation = query.get('fieldValidation') ?? '';
  return {
    kind,
    apiVersion: 'meta.k8s.io/v1',
    ...(dryRun.length > 0 && { dryRun }),
    ...(manager !== '' && { fieldManager: manager }),
    ...(validation !== '' && { fieldValidation: validation }),
  };
}

/** Whether a write is only tried; an error where anything but `All` is asked for. */
export function dryRunOf(values: readonly string[], errors: FieldError[]): boolean {
  const given = values.filter((value) => value !== '');
  if (given.some((value) => value !== 'All')) errors.push(notSupported(new FieldPath('dryRun'), given, ['All']));
  return given.length > 0;
}

export function invalidOptions(kind: string, errors: readonly FieldError[]): Error {
  return invalidObject({ group: 'meta.k8s.io', kind, name: '' }, errors);
}

/** A 422 made of field errors. */
export function invalidObject(
  target: { group: string; kind: string; name: string },
  errors: readonly FieldError[],
): ReturnType<typeof invalid> {
  return invalid(
    target,
    shownErrors(errors).map((error) => ({
      reason: error.reason,
      message: error.message,
      field: error.field,
      text: fieldErrorText(error),
    })),
  );
}

/** An answer has room for this much of what is wrong; nobody reads more, and it could fill the memory. */
const SHOWN_CHARACTERS_MAX = 1024 * 1024;

function shownErrors(errors: readonly FieldError[]): readonly FieldError[] {
  let characters = 0;
  const end = errors.findIndex(({ message, field }) => {
    characters += message.length + field.length;
    return characters > SHOWN_CHARACTERS_MAX;
  });
  return end < 0 ? errors : errors.slice(0, Math.max(1, end));
}

/** The field manager of clients that name none: their user agent up to the first slash. */
function agentOf(headers: Readonly<Record<string, string>>): string {
  const agent = headers['user-agent'] ?? '';
  const slash = agent.indexOf('/');
  const name = (slash < 0 ? agent : agent.slice(0, slash)).slice(0, MANAGER_LENGTH_MAX);
  return name === '' ? 'unknown' : name;
}
