import { methodNotSupported } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../../pipeline/types.ts';
import { type Call, targetOf } from '../call.ts';
import { getOne } from '../get.ts';
import { patchThrough } from '../patch.ts';
import { updateThrough } from '../update.ts';
import { STATUS_MODE, type WriteMode } from '../write/carry-over.ts';

/** `/status`: the same object, of which only the status is written. */
export function status(call: Call): Promise<ApiResponse> {
  return wholeObject(call, STATUS_MODE);
}

/** Subresources that read and write the whole object, changing only what `mode` lets through. */
export async function wholeObject(
  call: Call,
  mode: WriteMode,
  check?: (live: KubeObject) => void,
): Promise<ApiResponse> {
  switch (call.context.info.verb) {
    case 'get':
      return getOne(call);
    case 'update':
      return updateThrough(call, mode, check);
    case 'patch':
      return patchThrough(call, mode, check);
    default:
      throw methodNotSupported(targetOf(call), call.context.info.verb);
  }
}
