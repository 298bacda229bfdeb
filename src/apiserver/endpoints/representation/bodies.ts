import { CBOR_TAG, encodeCbor } from '#machinery/codec/cbor.ts';
import { encodeValue } from '#machinery/codec/json.ts';
import { envelopeOf, type TypeName } from '#machinery/codec/protobuf/envelope.ts';
import type { TypedObject } from '#machinery/codec/protobuf/codec.ts';
import { encodeYaml } from '#machinery/codec/yaml.ts';
import type { Forms } from './forms.ts';
import type { Representation } from './negotiate.ts';

/** Slices of a whole body around the bytes of one object; only of encodings that machines read. */
export function wrapItem(encoding: 'json' | 'protobuf' | 'cbor', item: Uint8Array, type: TypeName): Uint8Array[] {
  switch (encoding) {
    case 'json':
      return [item, NEWLINE];
    case 'cbor':
      return [CBOR_TAG, item];
    case 'protobuf': {
      const { head, tail } = envelopeOf(type, item.length);
      return [head, item, tail];
    }
  }
}

/** The whole body of any value, whose encoding was loaded. */
export function encodeBody(
  forms: Forms,
  value: object,
  { encoding, isPretty }: Pick<Representation, 'encoding' | 'isPretty'>,
): Uint8Array[] {
  switch (encoding) {
    case 'yaml':
      return [Buffer.from(encodeYaml(value))];
    case 'cbor':
      return [CBOR_TAG, encodeCbor(value)];
    case 'protobuf':
      // Safe: only objects of a kind are offered as protobuf.
      return [forms.codec.encodeObject(value as TypedObject)];
    case 'json':
      return [Buffer.from(`${isPretty ? prettyJson(value) : encodeValue(value)}\n`)];
  }
}

/** JSON indented by two spaces. */
export function prettyJson(value: unknown): string {
  try {
    return JSON.stringify(value, null, 2);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // It holds an integer that only bigint can: made readable at the cost of its parse.
    return JSON.stringify(JSON.parse(encodeValue(value), rawNumbers), null, 2);
  }
}

function rawNumbers(_key: string, value: unknown, context?: { source?: string }): unknown {
  const isInexact = typeof value === 'number' && !Number.isSafeInteger(value) && Number.isInteger(value);
  if (!isInexact || context?.source === undefined) return value;
  // JSON.rawJSON is what JSON.stringify writes unchanged (ES2026 JSON.parse source text access; Node 22 has it).
  return Reflect.apply(Reflect.get(JSON, 'rawJSON'), JSON, [context.source]);
}

export const NEWLINE = Buffer.from('\n');
