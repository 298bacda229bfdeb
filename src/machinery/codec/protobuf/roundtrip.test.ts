import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decodeJson } from '../json.ts';
import { ProtobufCodec } from './codec.ts';
import { readEnvelope } from './envelope.ts';
import type { ProtobufTable } from './model.ts';

interface Sample {
  readonly name: string;
  readonly message: string;
  readonly json: Record<string, unknown>;
  /** Base64. */
  readonly pb: string;
}

const file = join(import.meta.dirname, '../testdata/roundtrip.json.gz');
// Safe: the file is part of this folder and described there.
const { samples, table } = decodeJson(gunzipSync(readFileSync(file))).value as {
  samples: readonly Sample[];
  table: ProtobufTable;
};

describe('the official samples', () => {
  test('are all there', () => expect(samples).toHaveLength(185));

  test.each(samples.map((sample) => [sample.name, sample] as const))('%s passes both ways', (_name, sample) => {
    const codec = new ProtobufCodec({ table, messageOf: () => sample.message });
    const bytes = Buffer.from(sample.pb, 'base64');
    // A WatchEvent has no kind of its own in JSON.
    const { kind, apiVersion } = readEnvelope(bytes);
    const object = { kind, apiVersion, ...sample.json };
    expect(codec.decodeObject(bytes)).toEqual(object);
    expect(codec.encodeObject(object).toString('base64')).toBe(sample.pb);
  });
});
