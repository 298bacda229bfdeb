import { prefixEnd } from '../shared/sorted-map.ts';
import type { KeyValue, StoreEvent } from '../store.ts';
import { integerOf } from '#net/grpc/message-codec.ts';
import type { WireEvent, WireKeyValue } from './messages.ts';

/** Keys of the store's own, behind everything else: `~` comes after letters and digits. */
const OWN = '/~tiphys/';
const NO_VALUE = new Uint8Array(0);

/**
 * Where the store's keys lie in etcd: what follows `root` here follows `prefix` there. With `--etcd-prefix /registry`
 * both are the same, as upstream lays keys out.
 */
export class KeySpace {
  readonly #root: string;
  readonly #prefix: string;

  /** Without slashes at their ends. */
  constructor({ root, prefix }: { root: string; prefix: string }) {
    this.#root = root;
    this.#prefix = prefix;
  }

  /** Written to make the revision visible to watches; no reader sees it. */
  get progressKey(): Buffer {
    return Buffer.from(`${this.#prefix}${OWN}progress`);
  }

  /** The range that holds every key of the store, its own included. */
  get range(): { key: Buffer; rangeEnd: Buffer } {
    return { key: Buffer.from(`${this.#prefix}/`), rangeEnd: Buffer.from(`${this.#prefix}0`) };
  }

  remote(key: string): Buffer {
    if (!key.startsWith(this.#root)) throw new Error(`key "${key}" does not lie below "${this.#root}"`);
    return Buffer.from(this.#prefix + key.slice(this.#root.length));
  }

  /** The range of a prefix from `startKey` on; undefined where it is empty. The store's own keys are left out. */
  rangeOf(prefix: string, startKey: string | undefined): { key: Buffer; rangeEnd: Buffer } | undefined {
    const below = prefix.length > this.#root.length ? prefix : `${this.#root}/`;
    const low = startKey !== undefined && startKey > below ? startKey : below;
    const ownStart = this.#root + OWN;
    const end = prefixEnd(below);
    const high = below < ownStart && ownStart < end ? ownStart : end;
    return low < high ? { key: this.remote(low), rangeEnd: this.remote(high) } : undefined;
  }

  /** The store's key; undefined for the store's own. */
  local(key: Uint8Array): string | undefined {
    const rest = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString().slice(this.#prefix.length);
    return rest.startsWith(OWN) ? undefined : this.#root + rest;
  }

  keyValue(wire: WireKeyValue, value: Uint8Array = ownCopy(wire.value)): KeyValue {
    return {
      key: this.local(wire.key) ?? '',
      value,
      createRevision: integerOf(wire.createRevision),
      modRevision: integerOf(wire.modRevision),
      version: integerOf(wire.version),
    };
  }

  /** Undefined for the store's own keys. `written` finds the writer's own bytes, so that they are kept once. */
  event(
    wire: WireEvent,
    written: (key: string, value: Uint8Array) => Uint8Array | undefined = () => undefined,
  ): StoreEvent | undefined {
    const { kv, prevKv } = wire;
    const key = kv === null ? undefined : this.local(kv.key);
    if (kv === null || key === undefined) return undefined;
    const previous = prevKv === null ? undefined : this.keyValue(prevKv);
    const isDelete = wire.type === 1;
    const now: KeyValue = {
      key,
      value: isDelete ? NO_VALUE : (written(key, kv.value) ?? ownCopy(kv.value)),
      createRevision: isDelete ? (previous?.createRevision ?? 0) : integerOf(kv.createRevision),
      modRevision: integerOf(kv.modRevision),
      version: integerOf(kv.version),
    };
    const type = isDelete ? 'delete' : 'put';
    return previous === undefined ? { type, kv: now } : { type, kv: now, previous };
  }
}

/** The bytes on their own: a view would keep the whole message that they came in. */
function ownCopy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
