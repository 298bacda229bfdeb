import { encodeObject } from '#machinery/codec/json.ts';
import { ByteLru } from '#machinery/lru/byte-lru.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { Converter } from './conversion.ts';
import type { CustomKind } from './custom-kind.ts';
import { Entry } from '../storage/entry.ts';
import type { WatchHub } from '../storage/hub.ts';
import { parseStored } from '../storage/object-cache.ts';
import type { StoredView } from '../storage/stored-view.ts';

/** Objects in other forms than the stored one that are kept, for each version of a resource. */
const SHOWN_BYTES_MAX = 16 * 1024 * 1024;
/** Objects that one call of a conversion webhook carries. */
const BATCH_MAX = 500;

/** How one version of a custom resource shows what is stored: refreshed by the schema of today, and converted. */
export class CustomView implements StoredView {
  readonly #kind: CustomKind;
  readonly #version: string;
  readonly #converter: Converter;
  readonly #hub: WatchHub;
  /** Stored entries that look the same in this version. */
  readonly #same = new WeakSet<Entry>();
  readonly #shown = new ByteLru<Entry, Entry>({
    maxBytes: SHOWN_BYTES_MAX,
    sizeOf: (entry) => entry.encoded.bytes.length,
  });
  /** What stored bytes begin with, by version. */
  readonly #heads: ReadonlyMap<string, Uint8Array>;

  constructor(init: { kind: CustomKind; version: string; converter: Converter; hub: WatchHub }) {
    this.#kind = init.kind;
    this.#version = init.version;
    this.#converter = init.converter;
    this.#hub = init.hub;
    this.#heads = new Map([...init.kind.versions.keys()].map((version) => [version, headOf(init.kind, version)]));
  }

  present(entry: Entry): Entry | Promise<Entry> {
    return this.#known(entry) ?? this.#presentAnew([entry]).then(([shown]) => shown ?? entry);
  }

  presentNow(entry: Entry): Entry | undefined {
    return this.#known(entry);
  }

  async presentAll(entries: readonly Entry[]): Promise<Entry[]> {
    const shown = entries.map((entry) => this.#known(entry));
    const missing = entries.filter((_, index) => shown[index] === undefined);
    if (missing.length === 0) return shown.filter((entry) => entry !== undefined);
    const made = new Map<Entry, Entry>();
    for (let start = 0; start < missing.length; start += BATCH_MAX) {
      const batch = missing.slice(start, start + BATCH_MAX);
      for (const [index, entry] of (await this.#presentAnew(batch)).entries()) {
        const stored = batch[index];
        if (stored !== undefined) made.set(stored, entry);
      }
    }
    return entries.map((entry, index) => shown[index] ?? made.get(entry) ?? entry);
  }

  toStored(object: KubeObject): KubeObject | Promise<KubeObject> {
    const { storageVersion } = this.#kind;
    if (this.#version === storageVersion) return object;
    const converted = this.#converter.convert([object], storageVersion);
    const prune = (objects: readonly KubeObject[]): KubeObject => {
      const [stored = object] = objects;
      this.#kind.versions.get(storageVersion)?.refresh(stored, { defaults: false });
      return stored;
    };
    return converted instanceof Promise ? converted.then(prune) : prune(converted);
  }

  /** Told of what was written through this view: where the schema changed meanwhile, it is to be looked at again. */
  wrote(revision: number): void {
    for (let next = this.#kind.replacedBy; next !== undefined; next = next.replacedBy) {
      next.currentAfter = Math.max(next.currentAfter, revision);
    }
  }

  /** The entry as it looks here, where that is known or found out without asking anybody. */
  #known(entry: Entry): Entry | undefined {
    if (this.#same.has(entry)) return entry;
    const version = this.#versionOf(entry);
    const isCurrent = entry.revision > this.#kind.currentAfter;
    if (version === this.#version && isCurrent) return entry;
    const shown = this.#shown.get(entry);
    if (shown !== undefined) return shown;
    if (version !== this.#version && this.#converter.isRemote) return undefined;
    const object = parseStored(entry.encoded.bytes);
    this.#refresh(object, version);
    if (version !== this.#version) {
      const converted = this.#converter.convert([object], this.#version);
      if (converted instanceof Promise) return undefined;
      return this.#keep(entry, this.#pruned(converted[0] ?? object));
    }
    return this.#keep(entry, object);
  }

  async #presentAnew(entries: readonly Entry[]): Promise<Entry[]> {
    const objects: KubeObject[] = [];
    for (const entry of entries) {
      if (this.#hub.executor.shouldPause()) await this.#hub.executor.pause('request');
      const object = parseStored(entry.encoded.bytes);
      this.#refresh(object, this.#versionOf(entry));
      objects.push(object);
    }
    const converted = await this.#converter.convert(objects, this.#version);
    return entries.map((entry, index) => {
      const object = converted[index];
      return object === undefined ? entry : this.#keep(entry, this.#pruned(object));
    });
  }

  // As upstream: pruned and defaulted by the version it was stored in, then converted, then pruned by this version.
  #refresh(object: KubeObject, version: string): void {
    const rules = this.#kind.versions.get(version) ?? this.#kind.versions.get(this.#version);
    rules?.refresh(object, { defaults: true });
  }

  #pruned(object: KubeObject): KubeObject {
    this.#kind.versions.get(this.#version)?.refresh(object, { defaults: false });
    return object;
  }

  #keep(entry: Entry, object: KubeObject): Entry {
    const encoded = encodeObject(object);
    if (Buffer.compare(encoded.bytes, entry.encoded.bytes) === 0) {
      this.#same.add(entry);
      return entry;
    }
    const shown = new Entry({ key: entry.key, revision: entry.revision, encoded, objects: this.#hub.objects });
    this.#shown.set(entry, shown);
    return shown;
  }

  #versionOf({ encoded }: Entry): string {
    const head = encoded.bytes.subarray(0, encoded.versionOffset);
    for (const [version, expected] of this.#heads) if (Buffer.compare(head, expected) === 0) return version;
    // Nothing this definition knows: written by an older one.
    const { apiVersion } = parseStored(encoded.bytes);
    return apiVersion.slice(apiVersion.indexOf('/') + 1);
  }
}

function headOf({ kind, group }: CustomKind, version: string): Uint8Array {
  const { bytes, versionOffset } = encodeObject({ kind, apiVersion: `${group}/${version}`, metadata: {} });
  return bytes.subarray(0, versionOffset);
}
