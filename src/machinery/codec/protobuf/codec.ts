import { Decoding } from './decode.ts';
import { Encoding } from './encode.ts';
import { envelopeOf, type ProtobufEnvelope, readEnvelope, type TypeName } from './envelope.ts';
import { ProtobufError } from './errors.ts';
import { decodeJson } from '../json.ts';
import type { ProtobufTable } from './model.ts';
import { PlanSet } from './plan.ts';
import { WireReader } from './reader.ts';
import { WireWriter } from './writer.ts';

export interface CodecInit {
  readonly table: ProtobufTable;
  /** The message of a kind, such as `k8s.io.api.core.v1.Pod`. */
  readonly messageOf: (apiVersion: string, kind: string) => string | undefined;
}

/** An object as JSON has it. */
export interface TypedObject extends TypeName {
  readonly [field: string]: unknown;
}

/**
 * Kubernetes' protobuf both ways, from a table of messages: no code is generated. Source of the rules: the protobuf
 * serializer of k8s.io/apimachinery and the proto2 wire format. Values are the JSON forms of objects.
 */
export class ProtobufCodec {
  readonly #plans: PlanSet;
  readonly #messageOf: CodecInit['messageOf'];
  readonly #writer = new WireWriter();

  constructor({ table, messageOf }: CodecInit) {
    this.#plans = new PlanSet(table);
    this.#messageOf = messageOf;
  }

  /** The name of a kind's message; undefined where the table has none. */
  messageOf({ apiVersion, kind }: TypeName): string | undefined {
    const name = this.#messageOf(apiVersion, kind);
    return name !== undefined && this.#plans.has(name) ? name : undefined;
  }

  /** The bare message of a value, without kind, version and envelope. */
  encodeMessage(name: string, value: object): Buffer {
    return Buffer.from(this.borrowMessage(name, value));
  }

  /** The same in the codec's own memory: good until it encodes anything else. */
  borrowMessage(name: string, value: object): Buffer {
    this.#writer.reset();
    new Encoding(this.#writer).body(this.#plans.get(name), value);
    return this.#writer.view();
  }

  /** A whole body: prefix, envelope and the object's message. Throws `ProtobufError` for a kind without a message. */
  encodeObject(object: TypedObject): Buffer {
    const { apiVersion, kind } = object;
    const name = this.messageOf(object);
    if (name === undefined) throw new ProtobufError(`${apiVersion} ${kind} has no protobuf form`);
    const raw = this.encodeMessage(name, object);
    const { head, tail } = envelopeOf({ apiVersion, kind }, raw.length);
    return Buffer.concat([head, raw, tail]);
  }

  /** The JSON form of a bare message. Unknown fields are skipped, as protobuf has it. Throws `ProtobufError`. */
  decodeMessage(name: string, raw: Uint8Array): Record<string, unknown> {
    const decoding = new Decoding((envelope) => this.#inner(envelope, decoding));
    return decoding.message(this.#plans.get(name), new WireReader(raw), {});
  }

  /** The object of a whole body. What the envelope does not say is taken from `defaults`. Throws `ProtobufError`. */
  decodeObject(body: Uint8Array, defaults: TypeName = { apiVersion: '', kind: '' }): TypedObject {
    const envelope = readEnvelope(body);
    const type = typeOf(envelope, defaults);
    const name = this.messageOf(type);
    if (name === undefined) throw new ProtobufError(unregistered(type));
    return { ...type, ...this.decodeMessage(name, envelope.raw) };
  }

  #inner(envelope: ProtobufEnvelope, decoding: Decoding): unknown {
    if (envelope.contentType === 'application/json') return decodeJson(envelope.raw).value;
    const { apiVersion, kind } = envelope;
    const name = this.messageOf(envelope);
    if (name === undefined) throw new ProtobufError(unregistered({ apiVersion, kind }));
    return { kind, apiVersion, ...decoding.message(this.#plans.get(name), new WireReader(envelope.raw), {}) };
  }
}

function typeOf(envelope: TypeName, defaults: TypeName): TypeName {
  return {
    kind: envelope.kind === '' ? defaults.kind : envelope.kind,
    apiVersion: envelope.apiVersion === '' ? defaults.apiVersion : envelope.apiVersion,
  };
}

function unregistered({ apiVersion, kind }: TypeName): string {
  return `no kind "${kind}" is registered for version "${apiVersion}"`;
}
