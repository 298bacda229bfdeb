import type { KubeObject } from '#machinery/meta/types.ts';
import type { Revision } from '#store/store.ts';
import type { Entry } from './entry.ts';

/** Between what is stored of a custom resource and what one of its versions serves. */
export interface StoredView {
  /** The entry as this version shows it: the same one where the stored bytes are right. */
  present(entry: Entry): Entry | Promise<Entry>;
  /** The same at once; undefined where somebody has to be asked. */
  presentNow(entry: Entry): Entry | undefined;
  presentAll(entries: readonly Entry[]): Promise<Entry[]>;
  /** The form of an object that is stored. The object is given away. */
  toStored(object: KubeObject): KubeObject | Promise<KubeObject>;
  /** Told of every write through this version. */
  wrote(revision: Revision): void;
}
