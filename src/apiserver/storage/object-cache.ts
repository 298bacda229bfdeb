import { decodeJson, type EncodedObject } from '#machinery/codec/json.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { Revision } from '#store/store.ts';

/** Parsed objects kept at once, by the size of their JSON; in memory they take about as much again. */
const OBJECT_CACHE_BYTES_MAX = 384 * 1024 * 1024;

/** What the cache knows of an entry; `cached` and `wasUsed` are the cache's own. */
export interface CachedEntry {
  readonly revision: Revision;
  readonly encoded: EncodedObject;
  cached: KubeObject | undefined;
  wasUsed: boolean;
}

/**
 * Keeps parsed objects up to a bound, oldest out first, with a second chance for what was asked for meanwhile.
 */
export class ObjectCache {
  readonly #bytesMax: number;
  /** Entries with a cached object, oldest first from `#head` on. */
  #queue: CachedEntry[] = [];
  #head = 0;
  #bytes = 0;

  constructor(bytesMax: number = OBJECT_CACHE_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Takes over a writer's object, so that it is not parsed again. The caller gives it away: readers freeze it. */
  adopt(entry: CachedEntry, object: KubeObject): void {
    const { managedFields: _, ...metadata } = object.metadata;
    metadata.resourceVersion = String(entry.revision);
    this.#keep(entry, { ...object, metadata });
  }

  parse(entry: CachedEntry): KubeObject {
    const object = parseWithoutManagedFields(entry.encoded);
    object.metadata.resourceVersion = String(entry.revision);
    return this.#keep(entry, object);
  }

  #keep(entry: CachedEntry, object: KubeObject): KubeObject {
    entry.cached = object;
    this.#queue.push(entry);
    this.#bytes += entry.encoded.bytes.length;
    if (this.#bytes > this.#bytesMax) this.#evict();
    return object;
  }

  #evict(): void {
    while (this.#bytes > this.#bytesMax && this.#head < this.#queue.length - 1) {
      const entry = this.#queue[this.#head++];
      if (entry === undefined) continue;
      if (entry.wasUsed) {
        entry.wasUsed = false;
        this.#queue.push(entry);
      } else {
        entry.cached = undefined;
        this.#bytes -= entry.encoded.bytes.length;
      }
    }
    if (this.#head > 4096 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** A mutable parse of stored bytes, managedFields included. */
export function parseStored(bytes: Uint8Array): KubeObject {
  // Safe: only objects that passed the write path are stored.
  return decodeJson(bytes).value as KubeObject;
}

function parseWithoutManagedFields(encoded: EncodedObject): KubeObject {
  const { bytes, managedStart, managedEnd } = encoded;
  if (managedStart >= managedEnd) return parseStored(bytes);
  const object = parseStored(Buffer.concat([bytes.subarray(0, managedStart), bytes.subarray(managedEnd)]));
  return object;
}
