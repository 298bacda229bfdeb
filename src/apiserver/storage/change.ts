import type { Status } from '#machinery/errors/status-error.ts';
import type { Revision } from '#store/store.ts';
import type { WatchFrame } from '../pipeline/types.ts';
import type { Entry } from './entry.ts';

/** How watch frames look for one negotiated form. */
export interface FrameForm {
  /** Equal keys mean equal frames; used to share them between watchers. */
  readonly key: string;
  frame(type: 'ADDED' | 'MODIFIED' | 'DELETED', entry: Entry): WatchFrame;
  /** The last frame of a watch that failed. */
  error(status: Status): WatchFrame;
  /** How frames look after a watch's first one, where that differs: tables then leave out their columns. */
  readonly later?: FrameForm;
}

/** One write of one key as the watch cache saw it, with the frames that watchers share. */
export class Change {
  readonly key: string;
  readonly revision: Revision;
  /** Absent for a deletion. */
  readonly entry: Entry | undefined;
  /** Absent for a creation. */
  readonly previous: Entry | undefined;
  #gone: Entry | undefined;
  #frames: Map<string, WatchFrame> | undefined;

  constructor(init: { key: string; revision: Revision; entry: Entry | undefined; previous: Entry | undefined }) {
    this.key = init.key;
    this.revision = init.revision;
    this.entry = init.entry;
    this.previous = init.previous;
  }

  /** The frame that tells `type` of this change; made once a form. */
  frame(form: FrameForm, type: 'ADDED' | 'MODIFIED' | 'DELETED'): WatchFrame {
    this.#frames ??= new Map();
    const key = `${type} ${form.key}`;
    let frame = this.#frames.get(key);
    if (frame === undefined) {
      frame = form.frame(type, this.#subject(type));
      this.#frames.set(key, frame);
    }
    return frame;
  }

  /** Forgets the shared frames; called when the watchers of the moment have theirs. */
  dropFrames(): void {
    this.#frames = undefined;
  }

  get bytes(): number {
    return 200 + (this.previous?.encoded.bytes.length ?? 0);
  }

  #subject(type: 'ADDED' | 'MODIFIED' | 'DELETED'): Entry {
    if (type !== 'DELETED') {
      if (this.entry === undefined) throw new Error(`no object to tell of in ${type} of "${this.key}"`);
      return this.entry;
    }
    if (this.previous === undefined) throw new Error(`no object to tell of in ${type} of "${this.key}"`);
    this.#gone ??= this.previous.at(this.revision);
    return this.#gone;
  }
}
