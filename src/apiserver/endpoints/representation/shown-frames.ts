import type { Status } from '#machinery/errors/status-error.ts';
import { toStatusError } from '../../errors.ts';
import type { WatchFrame, WatchSource } from '../../pipeline/types.ts';
import type { FrameForm } from '../../storage/change.ts';
import type { Entry } from '../../storage/entry.ts';
import type { ResourceStorage } from '../../storage/resource-storage.ts';

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/**
 * Frames of a custom resource in the version watched. What needs a conversion webhook is converted when the batch goes
 * out, all objects of the batch in one call.
 */
export class ShownFrames implements FrameForm {
  readonly key: string;
  readonly #storage: ResourceStorage;
  readonly #form: FrameForm;

  constructor(storage: ResourceStorage, form: FrameForm) {
    this.#storage = storage;
    this.#form = form;
    this.key = `${form.key} ${storage.definition.custom?.fingerprint ?? ''}`;
  }

  frame(type: EventType, entry: Entry): WatchFrame {
    const shown = this.#storage.presentNow(entry);
    return shown === undefined ? new PendingFrame(type, entry) : this.#form.frame(type, shown);
  }

  error(status: Status): WatchFrame {
    return this.#form.error(status);
  }

  get later(): FrameForm {
    return this.#form.later === undefined ? this : new ShownFrames(this.#storage, this.#form.later);
  }

  /** The source with everything converted; ends with an error event where a conversion fails. */
  complete(source: WatchSource): WatchSource {
    let isOver = false;
    return {
      next: async () => {
        const batch = isOver ? undefined : await source.next();
        if (batch === undefined || !batch.some((frame) => frame instanceof PendingFrame)) return batch;
        try {
          return await this.#convert(batch);
        } catch (error) {
          isOver = true;
          source.close();
          return [this.error(toStatusError(error).status)];
        }
      },
      close: () => source.close(),
    };
  }

  async #convert(batch: readonly WatchFrame[]): Promise<readonly WatchFrame[]> {
    const pending = batch.filter((frame) => frame instanceof PendingFrame);
    const shown = await this.#storage.presentAll(pending.map(({ entry }) => entry));
    const made = new Map(pending.map((frame, index) => [frame, shown[index] ?? frame.entry]));
    return batch.map((frame) =>
      frame instanceof PendingFrame ? this.#form.frame(frame.type, made.get(frame) ?? frame.entry) : frame,
    );
  }
}

/** Stands for a frame until its object is converted. */
class PendingFrame implements WatchFrame {
  readonly type: EventType;
  readonly entry: Entry;

  constructor(type: EventType, entry: Entry) {
    this.type = type;
    this.entry = entry;
  }

  get bytes(): readonly Uint8Array[] {
    throw new Error('a frame is read before its object was converted');
  }

  get object(): never {
    throw new Error('a frame is read before its object was converted');
  }
}
