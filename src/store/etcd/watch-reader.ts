import type { EtcdClient, WatchStream } from './etcd-client.ts';
import { EtcdError } from './etcd-errors.ts';
import type { WireEvent, WireWatchResponse } from './messages.ts';
import { integerOf } from '#net/grpc/message-codec.ts';
import type { Revision } from '../store.ts';

export interface WatchReaderOptions {
  readonly range: { readonly key: Buffer; readonly rangeEnd: Buffer };
  /** The first revision to read. */
  readonly startRevision: Revision;
  readonly onCreated?: () => void;
  /** Events of whole revisions, in order; `revision` is that of the last one. */
  readonly onEvents: (events: readonly WireEvent[], revision: Revision) => void;
  /** The member says that nothing is missing up to this revision. */
  readonly onProgress?: (revision: Revision) => void;
  /** Called once, when the stream is over: for an error, or because the required history is compacted. */
  readonly onEnd: (end: WatchEnd) => void;
}

export type WatchEnd =
  | { readonly type: 'compacted'; readonly revision: Revision }
  | { readonly type: 'failed'; readonly error: Error };

/** One watch on one stream to one member, until it fails. */
export class WatchReader {
  readonly member: number;
  readonly endpoint: string;
  readonly #stream: WatchStream;
  readonly #options: WatchReaderOptions;
  #fragments: WireEvent[] = [];
  #isCreated = false;
  #isOver = false;

  constructor(client: EtcdClient, options: WatchReaderOptions) {
    this.#options = options;
    const { stream, member, endpoint } = client.openWatch();
    this.member = member;
    this.endpoint = endpoint;
    this.#stream = stream;
    // Safe: the codec made it from the message that WireWatchResponse describes.
    stream.on('data', (message: unknown) => this.#receive(message as WireWatchResponse));
    stream.on('error', (error) => this.#end({ type: 'failed', error }));
    stream.on('end', () => this.#end({ type: 'failed', error: new Error(`${endpoint} ended the watch`) }));
    const { range, startRevision } = options;
    stream.write({ createRequest: { ...range, startRevision, prevKv: true, fragment: true } });
  }

  get isCreated(): boolean {
    return this.#isCreated;
  }

  /** Asks for `onProgress`. Only for members whose version is known to answer truly. */
  requestProgress(): void {
    if (!this.#isOver) this.#stream.write({ progressRequest: {} });
  }

  /** Ends the stream; nothing is called any more. */
  close(): void {
    this.#isOver = true;
    this.#stream.cancel();
  }

  #receive(response: WireWatchResponse): void {
    if (this.#isOver) return;
    const compacted = integerOf(response.compactRevision);
    if (compacted > 0) return this.#end({ type: 'compacted', revision: compacted });
    if (response.canceled) return this.#end({ type: 'failed', error: this.#canceled(response) });
    if (response.created) {
      this.#isCreated = true;
      this.#options.onCreated?.();
      return;
    }
    for (const event of response.events) this.#fragments.push(event);
    if (response.fragment) return;
    const events = this.#fragments;
    this.#fragments = [];
    const last = events.at(-1);
    if (last !== undefined) this.#options.onEvents(events, integerOf(last.kv?.modRevision));
    else this.#options.onProgress?.(integerOf(response.header?.revision));
  }

  #canceled({ cancelReason }: WireWatchResponse): EtcdError {
    const text = cancelReason === '' ? 'the watch was cancelled' : cancelReason;
    return new EtcdError({ code: 0, text, endpoint: this.endpoint });
  }

  #end(end: WatchEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream.cancel();
    this.#options.onEnd(end);
  }
}
