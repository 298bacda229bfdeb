import type { Revision } from '#store/store.ts';

/** Who wrote a key at a revision, and, for a controller, what it had read. */
export interface RecordedWrite {
  readonly key: string;
  readonly revision: Revision;
  readonly user: string;
  readonly verb: string;
  readonly atMs: number;
  readonly cause?: { readonly key: string; readonly revision: string };
}

/** Writes remembered; at 200 bytes each about 10 MB. */
const WRITES_MAX = 50_000;

/** The latest writes with their causes: what `why`, the timeline and the dashboard show. */
export class WriteCauses {
  readonly #max: number;
  readonly #ring: RecordedWrite[] = [];
  #next = 0;

  constructor(max: number = WRITES_MAX) {
    this.#max = max;
  }

  record(write: RecordedWrite): void {
    this.#ring[this.#next] = write;
    this.#next = (this.#next + 1) % this.#max;
  }

  /** Oldest first; those of one key where it is given. */
  list(options: { key?: string } = {}): RecordedWrite[] {
    const all = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    return options.key === undefined ? all : all.filter((write) => write.key === options.key);
  }

  at(revision: Revision): RecordedWrite | undefined {
    return this.#ring.find((write) => write.revision === revision);
  }
}
