import { decodeJson, encodeObject, type EncodedObject, locateEncoded } from '#machinery/codec/json.ts';
import type { ProtobufCodec } from '#machinery/codec/protobuf/codec.ts';
import { isEnvelope } from '#machinery/codec/protobuf/envelope.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { ProtobufForms } from '../protobuf-forms.ts';

const METADATA = Buffer.from('"metadata":{');
const VERSION = Buffer.from('"resourceVersion":');
const HEAD = /^\{"kind":"[^"\\]*","apiVersion":"[^"\\]*",$/;
/** Longer than any kind with its group and version. */
const HEAD_BYTES_MAX = 1024;
const ENCRYPTED = Buffer.from('k8s:enc:');
const CLOSE_BRACE = 0x7d;

/**
 * Reads stored values into their parts. Those of our own writing are only measured; those of a stock API server (JSON
 * with other orders of fields, or protobuf) are decoded and encoded anew.
 */
export class StoredValues {
  readonly #forms: ProtobufForms | undefined;
  readonly #applyDefaults: (object: KubeObject) => void;
  #codec: ProtobufCodec | undefined;

  constructor(init: { forms: ProtobufForms | undefined; applyDefaults: (object: KubeObject) => void }) {
    this.#forms = init.forms;
    this.#applyDefaults = init.applyDefaults;
  }

  /** Makes `encodedOf` ready for protobuf values. */
  async loadProtobuf(): Promise<void> {
    this.#codec ??= await this.#forms?.codec();
  }

  /** Throws where the value is no object that can be read, such as an encrypted one. */
  encodedOf(value: Uint8Array): EncodedObject {
    if (isEncrypted(value)) throw new Error('identity transformer tried to read encrypted data');
    if (isEnvelope(value)) return this.#encode(this.#decodeProtobuf(value));
    const encoded = hasOwnHead(value) ? locateEncoded(value) : undefined;
    if (encoded !== undefined && isOwnLayout(encoded)) return encoded;
    const { value: object } = decodeJson(value);
    if (!isObject(object)) throw new Error('the stored value is no API object');
    return this.#encode(object);
  }

  /** As upstream decodes what it stored: with the defaults of today, which another release may not have known. */
  #encode(object: KubeObject): EncodedObject {
    this.#applyDefaults(object);
    return encodeObject(object);
  }

  #decodeProtobuf(value: Uint8Array): KubeObject {
    if (this.#codec === undefined) throw new Error('the stored value is protobuf, which this server cannot read');
    const object = { metadata: {}, ...this.#codec.decodeObject(value) };
    if (!isObject(object)) throw new Error('the stored value is no API object');
    return object;
  }
}

/** What upstream's encryption at rest puts before a value. */
function isEncrypted(value: Uint8Array): boolean {
  return value[0] === ENCRYPTED[0] && ENCRYPTED.equals(value.subarray(0, ENCRYPTED.length));
}

function hasOwnHead(value: Uint8Array): boolean {
  const head = Buffer.from(value.buffer, value.byteOffset, Math.min(value.byteLength, HEAD_BYTES_MAX));
  const at = head.indexOf(METADATA);
  return at > 0 && HEAD.test(head.toString('latin1', 0, at)) && value.at(-1) === CLOSE_BRACE;
}

/** managedFields are the last of the metadata, and there is no resourceVersion in it. */
function isOwnLayout({ bytes, versionOffset, managedStart, managedEnd }: EncodedObject): boolean {
  if (bytes[managedEnd] !== CLOSE_BRACE) return false;
  const rest = Buffer.from(bytes.buffer, bytes.byteOffset + versionOffset, managedStart - versionOffset);
  return !rest.includes(VERSION);
}

function isObject(value: unknown): value is KubeObject {
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('apiVersion' in value)) return false;
  return 'metadata' in value && typeof value.metadata === 'object' && value.metadata !== null;
}
