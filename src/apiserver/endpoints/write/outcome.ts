import type { KubeObject } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../../pipeline/types.ts';
import type { PendingWrite, WriteHook } from '../../server-parts.ts';
import type { Entry } from '../../storage/entry.ts';
import type { Call } from '../call.ts';
import { respondEntry, respondObject } from '../representation/respond.ts';

/** What a write left behind: a stored entry, or for a dry run the object as it would have been. */
export type Outcome =
  | { readonly type: 'stored'; readonly entry: Entry }
  | { readonly type: 'dryRun'; readonly object: KubeObject };

export function respondOutcome(call: Call, outcome: Outcome, status = 200): ApiResponse | Promise<ApiResponse> {
  if (outcome.type === 'dryRun') return respondObject(call, outcome.object, status);
  const shown = call.storage.present(outcome.entry);
  return shown instanceof Promise
    ? shown.then((entry) => respondEntry(call, entry, status))
    : respondEntry(call, shown, status);
}

/** Remembers who made this write, and why. */
export function recordWrite(call: Call, entry: Entry): void {
  const { context, core } = call;
  core.causes.record({
    key: entry.key,
    revision: entry.revision,
    user: context.user.username,
    verb: context.info.verb,
    atMs: core.executor.clock.now(),
    ...(context.cause === undefined ? {} : { cause: context.cause }),
  });
}

/** Calls the resource's write hook; the result must be told how the write ended. */
export function startHook(call: Call, write: PendingWrite): (outcome: 'committed' | 'failed') => void {
  const hook: WriteHook | undefined = call.core.writeHooks.get(`${call.definition.group}/${call.definition.resource}`);
  return hook?.(write) ?? (() => {});
}
