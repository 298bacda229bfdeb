import { resourceExpired, type StatusError } from '#machinery/errors/status-error.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Revision } from '#store/store.ts';
import type { WatchFrame, WatchSource } from '../pipeline/types.ts';
import type { Change, FrameForm } from './change.ts';
import type { Entry } from './entry.ts';
import type { Selection } from './selection.ts';

/** A watcher that leaves this many events unread is ended with 410; an informer then lists anew. */
const BACKLOG_EVENTS_MAX = 20_000;
/** Initial events handed over at once. */
const INITIAL_BATCH_EVENTS = 250;

export interface WatcherInit {
  readonly executor: Executor;
  readonly selection: Selection;
  readonly form: FrameForm;
  /** Changes up to this revision are not delivered. */
  readonly afterRevision: Revision;
  /** The state to begin with, as ADDED events. */
  readonly initial?: Iterable<Entry>;
  /** Makes a bookmark's frame; absent where the client did not ask for bookmarks. */
  readonly bookmark?: (revision: Revision, options: { isInitialEnd: boolean }) => WatchFrame;
  /** The revision that `initial` shows, when a bookmark is to mark its end. */
  readonly initialEndRevision?: Revision;
  /** Asks for a call of `flush` in a task of its own. */
  readonly wake: (watcher: Watcher) => void;
  readonly onClose: (watcher: Watcher) => void;
}

/** One watch: a filter and a bounded queue of frames that its consumer pulls in batches. */
export class Watcher implements WatchSource {
  readonly selection: Selection;
  readonly #init: WatcherInit;
  #initial: Iterator<Entry> | undefined;
  #queue: WatchFrame[] = [];
  #waiting: ((batch: readonly WatchFrame[] | undefined) => void) | undefined;
  #form: FrameForm;
  #afterRevision: Revision;
  #isOver = false;
  #isReleased = false;

  constructor(init: WatcherInit) {
    this.#init = init;
    this.selection = init.selection;
    this.#form = init.form;
    this.#afterRevision = init.afterRevision;
    this.#initial = init.initial?.[Symbol.iterator]();
  }

  /** Called for every change that may concern this watcher, in revision order. */
  offer(change: Change): void {
    if (this.#isOver || change.revision <= this.#afterRevision) return;
    const type = this.#verdict(change);
    if (type !== undefined) this.#push(change.frame(this.#takeForm(), type));
  }

  /** Tells the client how far it has seen everything. */
  offerBookmark(revision: Revision): void {
    // During the initial events a bookmark would promise what was not delivered yet.
    if (this.#isOver || this.#init.bookmark === undefined || this.#initial !== undefined) return;
    if (revision < this.#afterRevision) return;
    this.#push(this.#init.bookmark(revision, { isInitialEnd: false }));
  }

  /** Ends the watch after what is queued; with a last ERROR frame where there is a reason. */
  end(error?: StatusError): void {
    if (this.#isOver) return;
    if (error !== undefined) this.#queue.push(this.#init.form.error(error.status));
    this.#isOver = true;
    this.#init.onClose(this);
    this.#init.wake(this);
  }

  async next(): Promise<readonly WatchFrame[] | undefined> {
    if (this.#isReleased) return undefined;
    while (this.#initial !== undefined) {
      await this.#init.executor.pause('watch');
      const batch = this.#initialBatch();
      if (batch.length > 0) return batch;
    }
    if (this.#queue.length > 0) return this.#take();
    if (this.#isOver) return undefined;
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** Hands the queue to a waiting consumer. */
  flush(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    if (this.#queue.length === 0 && !this.#isOver) return;
    this.#waiting = undefined;
    waiting(this.#queue.length > 0 ? this.#take() : undefined);
  }

  close(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#queue = [];
    this.#initial = undefined;
    if (!this.#isOver) {
      this.#isOver = true;
      this.#init.onClose(this);
    }
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(undefined);
  }

  #verdict({ entry, previous }: Change): 'ADDED' | 'MODIFIED' | 'DELETED' | undefined {
    const { selection } = this;
    if (!selection.hasSelectors) return entry === undefined ? 'DELETED' : previous === undefined ? 'ADDED' : 'MODIFIED';
    const isIn = entry !== undefined && selection.matches(entry.object);
    const wasIn = previous !== undefined && selection.matches(previous.object);
    if (isIn) return wasIn ? 'MODIFIED' : 'ADDED';
    return wasIn ? 'DELETED' : undefined;
  }

  #takeForm(): FrameForm {
    const form = this.#form;
    this.#form = form.later ?? form;
    return form;
  }

  #push(frame: WatchFrame): void {
    if (this.#queue.length >= BACKLOG_EVENTS_MAX) {
      this.#queue = [];
      this.#initial = undefined;
      this.end(resourceExpired('The resourceVersion for the provided watch is too old.'));
      return;
    }
    this.#queue.push(frame);
    if (this.#waiting !== undefined && this.#queue.length === 1) this.#init.wake(this);
  }

  #take(): readonly WatchFrame[] {
    const batch = this.#queue;
    this.#queue = [];
    return batch;
  }

  #initialBatch(): WatchFrame[] {
    const batch: WatchFrame[] = [];
    while (this.#initial !== undefined && batch.length < INITIAL_BATCH_EVENTS) {
      const next = this.#initial.next();
      if (next.done === true) {
        this.#initial = undefined;
        const { bookmark, initialEndRevision } = this.#init;
        if (bookmark !== undefined && initialEndRevision !== undefined) {
          batch.push(bookmark(initialEndRevision, { isInitialEnd: true }));
        }
        break;
      }
      if (!this.selection.hasSelectors || this.selection.matches(next.value.object)) {
        batch.push(this.#takeForm().frame('ADDED', next.value));
      }
      if (this.#init.executor.shouldPause()) break;
    }
    return batch;
  }
}

/** A watch that fails at once, as upstream does where the revision is gone: 200 and an ERROR event. */
export class FailedWatch implements WatchSource {
  #frames: readonly WatchFrame[] | undefined;

  constructor(error: StatusError, form: FrameForm) {
    this.#frames = [form.error(error.status)];
  }

  next(): Promise<readonly WatchFrame[] | undefined> {
    const frames = this.#frames;
    this.#frames = undefined;
    return Promise.resolve(frames);
  }

  close(): void {
    this.#frames = undefined;
  }
}
