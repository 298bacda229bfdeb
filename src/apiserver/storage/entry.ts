import { type EncodedObject, spliceVersion } from '#machinery/codec/json.ts';
import { deepFreeze } from '#machinery/codec/deep.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { Revision } from '#store/store.ts';
import type { ObjectCache } from './object-cache.ts';

/** One stored object at one revision: its bytes, and its parsed form as long as the object cache keeps it. */
export class Entry {
  readonly key: string;
  readonly revision: Revision;
  readonly encoded: EncodedObject;
  readonly #objects: ObjectCache;
  /** Owned by the object cache; frozen at its first reading. Carries `revision`, has no managedFields. */
  cached: KubeObject | undefined;
  /** Owned by the object cache: asked for since it last looked. */
  wasUsed = false;

  /** Owned by lists as protobuf: the length of the object and of its metadata alone in that form; 0 until known. */
  protobufBytes = 0;
  protobufPartialBytes = 0;

  /** The entry whose object this one shows at a later revision. */
  readonly #origin: Entry | undefined;

  constructor(init: {
    key: string;
    revision: Revision;
    encoded: EncodedObject;
    objects: ObjectCache;
    origin?: Entry;
  }) {
    this.key = init.key;
    this.revision = init.revision;
    this.encoded = init.encoded;
    this.#objects = init.objects;
    this.#origin = init.origin;
  }

  /** Whether this is an object as it was before `revision`, such as one that was deleted. */
  get isGone(): boolean {
    return this.#origin !== undefined;
  }

  /** The object, deep-frozen, with its resourceVersion and without managedFields. */
  get object(): KubeObject {
    this.wasUsed = true;
    // Most objects that are written are never read: freezing at the first reading saves a tenth of a create.
    return deepFreeze(this.cached ?? this.#read());
  }

  /** The whole object as slices of the stored bytes. */
  slices(): Uint8Array[] {
    return spliceVersion(this.encoded, this.revision);
  }

  /** The same object as it looks in the event of its deletion (or of leaving a selection) at a later revision. */
  at(revision: Revision): Entry {
    return new Entry({ key: this.key, revision, encoded: this.encoded, objects: this.#objects, origin: this });
  }

  #read(): KubeObject {
    if (this.#origin === undefined) return this.#objects.parse(this);
    const { object } = this.#origin;
    // Not counted by the object cache: it lives as long as the frames that tell of it, and shares what it can.
    this.cached = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.revision) } };
    return this.cached;
  }
}
