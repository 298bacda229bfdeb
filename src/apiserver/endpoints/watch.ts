import { badRequest } from '#machinery/errors/status-error.ts';
import { type FieldError, forbiddenValue, notSupported } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isTrue } from '../pipeline/request-info.ts';
import type { ApiResponse, WatchFrame, WatchSource } from '../pipeline/types.ts';
import { selectionOf } from '../storage/selection.ts';
import { type InitialEvents, openWatch } from '../storage/watch.ts';
import type { Call } from './call.ts';
import { bookmarkOf, frameFormOf } from './representation/frames.ts';
import { watchTypeOf } from './representation/negotiate.ts';
import { representationOf } from './representation/respond.ts';
import { ShownFrames } from './representation/shown-frames.ts';
import { watchOverWebSocket } from './watch-socket.ts';
import { invalidOptions } from './write/options.ts';

/** Upstream's `--min-request-timeout`: a watch that names no timeout lasts between this and twice this. */
const WATCH_SECONDS_MIN = 1800;

/** A watch of a collection, or of the one object that the request names. */
export async function watch(call: Call): Promise<ApiResponse> {
  const { context, core, definition, storage } = call;
  const { request, info } = context;
  const { query } = request;
  const representation = representationOf(call, true);
  await core.forms.load(representation.encoding);
  const initialEvents = initialEventsOf(query);
  const selection = selectionOf(definition, {
    namespace: info.namespace,
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: fieldSelectorOf(call),
  });
  const form = frameFormOf(definition, representation, { forms: core.forms, nowMs: () => core.executor.clock.now() });
  const shown = storage.showsStored ? undefined : new ShownFrames(storage, form);
  const opened = await openWatch(core.hub, storage.cache, {
    selection,
    form: shown ?? form,
    resourceVersion: query.get('resourceVersion') ?? '',
    initialEvents,
    ...(isTrue(query.get('allowWatchBookmarks'))
      ? { bookmark: bookmarkOf(definition, representation, core.forms) }
      : {}),
  });
  const source = shown === undefined ? opened : shown.complete(opened);
  const limited = limitedTime(call, source, () => opened.offerBookmark?.(core.hub.revision));
  const overSocket = watchOverWebSocket(request, { source: limited, isText: representation.encoding === 'json' });
  if (overSocket !== undefined) return overSocket;
  return { type: 'watch', status: 200, headers: { 'content-type': watchTypeOf(representation) }, watch: limited };
}

// The deprecated path names the object in the path: /api/v1/watch/namespaces/N/pods/NAME.
function fieldSelectorOf({ context: { request, info } }: Call): string | undefined {
  const selector = request.query.get('fieldSelector') ?? '';
  if (!info.path.includes('/watch/') || info.name === '') return selector;
  if (selector === '') return `metadata.name=${info.name}`;
  const names = selector.split(',').map((term) => /^metadata\.name==?(.*)$/.exec(term)?.[1]);
  if (names.includes(info.name)) return selector;
  throw badRequest("fieldSelector metadata.name doesn't match requested name");
}

/** Whether a watch begins with the current state; a watch of no particular version does by itself. */
function initialEventsOf(query: URLSearchParams): InitialEvents {
  const errors: FieldError[] = [];
  const match = query.get('resourceVersionMatch') ?? '';
  const wanted = query.get('sendInitialEvents') ?? '';
  const path = new FieldPath('resourceVersionMatch');
  if (wanted !== '' && match !== 'NotOlderThan') {
    errors.push(forbiddenValue(path, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  }
  if (match !== '') {
    if (wanted === '') {
      const detail = 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided';
      errors.push(forbiddenValue(path, detail));
    }
    if (match !== 'NotOlderThan') errors.push(notSupported(path, match, ['NotOlderThan']));
    if ((query.get('continue') ?? '') !== '') {
      errors.push(forbiddenValue(path, 'resourceVersionMatch is forbidden when continue is provided'));
    }
  }
  if (errors.length > 0) throw invalidOptions('ListOptions', errors);
  if (wanted !== '') return isTrue(wanted) ? 'send' : 'skip';
  const resourceVersion = query.get('resourceVersion') ?? '';
  return resourceVersion === '' || resourceVersion === '0' ? 'send' : 'unset';
}

/** A last bookmark comes this long before the end of a watch, so that its client resumes from there. */
const LAST_BOOKMARK_MS = 2000;

/** Ends the watch after its time, or when its client is gone. */
function limitedTime({ context, core }: Call, source: WatchSource, sendBookmark: () => void): WatchSource {
  const { signal, query } = context.request;
  const { clock, random } = core.executor;
  const timeoutMs = timeoutSeconds(query, random.float()) * 1000;
  const timer = clock.setTimeout(() => source.close(), timeoutMs, { unref: true });
  const bookmark =
    timeoutMs > LAST_BOOKMARK_MS
      ? clock.setTimeout(sendBookmark, timeoutMs - LAST_BOOKMARK_MS, { unref: true })
      : undefined;
  const close = (): void => {
    timer.cancel();
    bookmark?.cancel();
    signal.removeEventListener('abort', close);
    source.close();
  };
  if (signal.aborted) close();
  else signal.addEventListener('abort', close, { once: true });
  return {
    next: async (): Promise<readonly WatchFrame[] | undefined> => {
      const batch = await source.next();
      if (batch === undefined) close();
      return batch;
    },
    close,
  };
}

function timeoutSeconds(query: URLSearchParams, random: number): number {
  const text = query.get('timeoutSeconds');
  if (text === null || text === '') return WATCH_SECONDS_MIN * (1 + random);
  const seconds = Number(text);
  if (!Number.isSafeInteger(seconds)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return seconds > 0 ? Math.min(seconds, 86_400 * 20) : WATCH_SECONDS_MIN * (1 + random);
}
