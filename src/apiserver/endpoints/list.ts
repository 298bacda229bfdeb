import { badRequest } from '#machinery/errors/status-error.ts';
import { type FieldError, forbiddenValue, notSupported } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { ApiResponse } from '../pipeline/types.ts';
import { type ListQuery, readList } from '../storage/list.ts';
import { selectionOf } from '../storage/selection.ts';
import type { Call } from './call.ts';
import { respondList } from './representation/list-body.ts';
import { invalidOptions } from './write/options.ts';

/** GET of a collection. */
export async function list(call: Call): Promise<ApiResponse> {
  const { core, storage } = call;
  const page = await readList(core.hub, storage.cache, listQueryOf(call));
  const shown = storage.showsStored ? page : { ...page, entries: await storage.presentAll(page.entries) };
  return respondList(call, shown);
}

export function listQueryOf({ context, definition }: Call): ListQuery {
  const { query } = context.request;
  const { info } = context;
  const resourceVersion = query.get('resourceVersion') ?? '';
  const match = query.get('resourceVersionMatch') ?? '';
  const continueToken = query.get('continue') ?? '';
  const errors: FieldError[] = [];
  const isKnown = match === 'Exact' || match === 'NotOlderThan';
  const path = new FieldPath('resourceVersionMatch');
  if (match !== '') {
    if (resourceVersion === '') {
      errors.push(forbiddenValue(path, 'resourceVersionMatch is forbidden unless resourceVersion is provided'));
    }
    if (continueToken !== '')
      errors.push(forbiddenValue(path, 'resourceVersionMatch is forbidden when continue is provided'));
    if (!isKnown) errors.push(notSupported(path, match, ['Exact', 'NotOlderThan', '']));
    if (match === 'Exact' && resourceVersion === '0') {
      errors.push(forbiddenValue(path, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
    }
  }
  if (query.has('sendInitialEvents') && query.get('sendInitialEvents') !== '') {
    errors.push(forbiddenValue(new FieldPath('sendInitialEvents'), 'sendInitialEvents is forbidden for list'));
  }
  if (errors.length > 0) throw invalidOptions('ListOptions', errors);
  return {
    selection: selectionOf(definition, {
      namespace: info.namespace,
      labelSelector: query.get('labelSelector') ?? undefined,
      fieldSelector: query.get('fieldSelector') ?? undefined,
    }),
    limit: limitOf(query.get('limit')),
    continueToken,
    resourceVersion,
    match: isKnown ? match : undefined,
  };
}

function limitOf(text: string | null): number {
  if (text === null || text === '') return 0;
  const limit = Number(text);
  if (!Number.isSafeInteger(limit)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return Math.max(0, limit);
}
