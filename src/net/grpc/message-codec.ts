import protobuf from 'protobufjs/light.js';

/** A 64-bit integer as it is decoded: a number where it fits 32 bits or no `long` is there, else an object. */
export type WireInteger = number | { toNumber(): number };

/** Encoder and decoder of one message. */
export interface WireCodec {
  /** Takes a plain object; fields that are absent are not written. Enums are numbers. */
  readonly encode: (message: object) => Buffer;
  /** A view of the bytes: `bytes` fields share their memory, absent scalars read as zero, absent messages as null. */
  readonly decode: (bytes: Uint8Array) => unknown;
}

/**
 * Codecs of the messages of a table, made at first use. One line a message: `name:type=number`, where a type that ends
 * in `[]` is repeated. Unknown fields are skipped, so a table names only what is used.
 */
export class WireMessages {
  readonly #root: protobuf.Root;
  readonly #codecs = new Map<string, WireCodec>();

  constructor(table: Readonly<Record<string, string>>) {
    const nested = Object.fromEntries(Object.entries(table).map(([name, line]) => [name, { fields: fieldsOf(line) }]));
    this.#root = protobuf.Root.fromJSON({ nested });
  }

  codec(name: string): WireCodec {
    const known = this.#codecs.get(name);
    if (known !== undefined) return known;
    const type = this.#root.lookupType(name);
    const codec: WireCodec = {
      // Safe: in Node, protobufjs writes into Buffers.
      encode: (message) => type.encode(message).finish() as Buffer,
      decode: (bytes) => type.decode(bytes),
    };
    this.#codecs.set(name, codec);
    return codec;
  }
}

/** Exact up to 2^53. */
export function integerOf(value: WireInteger | undefined): number {
  if (value === undefined) return 0;
  return typeof value === 'number' ? value : value.toNumber();
}

function fieldsOf(line: string): Record<string, protobuf.IField> {
  const fields: Record<string, protobuf.IField> = {};
  for (const part of line.split(' ').filter((text) => text !== '')) {
    const [name = '', rest = ''] = part.split(':');
    const [type = '', id = ''] = rest.split('=');
    fields[name] = type.endsWith('[]')
      ? { rule: 'repeated', type: type.slice(0, -2), id: Number(id) }
      : // Else absent bytes would read as an empty array.
        { type, id: Number(id), ...(type === 'bytes' ? { options: { default: '' } } : {}) };
  }
  return fields;
}
