import type { ResourceDefinition } from '#api/registry/resource.ts';
import { ByteSlab } from '#machinery/codec/byte-slab.ts';
import type { ProtobufCodec } from '#machinery/codec/protobuf/codec.ts';
import { ByteLru } from '#machinery/lru/byte-lru.ts';
import { apiVersionOf } from '#machinery/meta/types.ts';
import type { ProtobufForms } from '../../protobuf-forms.ts';
import type { Entry } from '../../storage/entry.ts';
import type { Encoding } from './negotiate.ts';

/** Everything that is no stored JSON is encoded once and kept up to this bound, for all resources together. */
const FORMS_BYTES_MAX = 64 * 1024 * 1024;
/** What a kept form costs beyond its bytes: key, map entry, buffer. */
const OVERHEAD_BYTES = 250;

/** What stays and what goes are mixed in time, so a slab is only a few objects. */
const SLAB_BYTES = 16 * 1024;

interface Kept {
  /** The object's key; a revision of a store that others write to may have several. */
  readonly key: string;
  readonly bytes: Uint8Array;
}

export interface FormsInit {
  /** Absent: nothing is served as protobuf. */
  readonly protobuf: ProtobufForms | undefined;
  /** Feature gate CBORServingAndStorage. */
  readonly servesCbor: boolean;
  readonly bytesMax: number | undefined;
}

/**
 * The secondary forms of stored objects: which a resource has, and their bytes by object, revision and form, which
 * GET, LIST and WATCH share.
 */
export class Forms {
  readonly bytesMax: number;
  readonly #protobuf: ProtobufForms | undefined;
  readonly #servesCbor: boolean;
  readonly #slab = new ByteSlab({ slabBytes: SLAB_BYTES });
  readonly #kept: ByteLru<string, Kept>;
  readonly #encodings = new WeakMap<ResourceDefinition, readonly Encoding[]>();
  readonly #ids = new WeakMap<ResourceDefinition, number>();
  #lastId = 0;
  #codec: ProtobufCodec | undefined;

  constructor({ protobuf, servesCbor, bytesMax = FORMS_BYTES_MAX }: FormsInit) {
    this.bytesMax = bytesMax;
    this.#protobuf = protobuf;
    this.#servesCbor = servesCbor;
    this.#kept = new ByteLru({ maxBytes: bytesMax, sizeOf: ({ bytes }) => bytes.length + OVERHEAD_BYTES });
  }

  /** What a resource's whole objects can be sent as, and sent in; the best first. Custom resources are never protobuf. */
  encodingsOf(definition: ResourceDefinition): readonly Encoding[] {
    let encodings = this.#encodings.get(definition);
    if (encodings === undefined) {
      const isKnown = this.#protobuf?.knows(apiVersionOf(definition), definition.kind) === true;
      encodings = this.#list(isKnown && definition.isCustom !== true);
      this.#encodings.set(definition, encodings);
    }
    return encodings;
  }

  /** What anything can be sent as: metadata of custom resources, failures, documents. */
  get encodings(): readonly Encoding[] {
    return this.#list(this.#protobuf !== undefined);
  }

  /** Loads what an encoding needs; afterwards it can be used without waiting. */
  async load(encoding: Encoding): Promise<void> {
    if (encoding === 'protobuf') this.#codec ??= await this.#protobuf?.codec();
  }

  /** The protobuf codec, once it was loaded. */
  get codec(): ProtobufCodec {
    if (this.#codec === undefined) throw new Error('the protobuf codec was not loaded');
    return this.#codec;
  }

  /** A name for one form of a definition's objects; another definition of the same resource has other forms. */
  formKey(definition: ResourceDefinition, form: string): string {
    let id = this.#ids.get(definition);
    if (id === undefined) {
      id = ++this.#lastId;
      this.#ids.set(definition, id);
    }
    return `${id} ${form}`;
  }

  get(formKey: string, { key, revision }: Entry): Uint8Array | undefined {
    const kept = this.#kept.get(`${revision} ${formKey}`);
    return kept?.key === key ? kept.bytes : undefined;
  }

  /** Keeps a copy of the bytes, and gives it. */
  keep(formKey: string, { key, revision }: Entry, bytes: Uint8Array): Uint8Array {
    const own = this.#slab.copy(bytes);
    this.#kept.set(`${revision} ${formKey}`, { key, bytes: own });
    return own;
  }

  /** Forgets what was kept by revision. */
  clear(): void {
    this.#kept.clear();
  }

  #list(hasProtobuf: boolean): readonly Encoding[] {
    return [
      'json',
      'yaml',
      ...(hasProtobuf ? (['protobuf'] as const) : []),
      ...(this.#servesCbor ? (['cbor'] as const) : []),
    ];
  }
}
