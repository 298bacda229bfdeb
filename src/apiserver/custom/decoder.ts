import { coerceEmbedded } from '#api/apiextensions/structural/embedded.ts';
import { pruneNulls } from '#api/apiextensions/structural/defaults.ts';
import { isObject, type JsonSchema } from '#api/apiextensions/structural/json-schema.ts';
import { prune } from '#api/apiextensions/structural/prune.ts';
import { deepCopy } from '#machinery/codec/deep.ts';
import { fieldErrorText } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { CompiledSchema, Decoded, DecodeOptions } from '#machinery/schema/compile.ts';

/**
 * Decodes custom resources: metadata as that of any object; of the rest, what the schema does not know goes, and what
 * is wrong with values is left to validation.
 */
export class CustomDecoder implements CompiledSchema {
  readonly #schema: JsonSchema;
  readonly #metadata: CompiledSchema;

  constructor({ schema, metadata }: { schema: JsonSchema; metadata: CompiledSchema }) {
    this.#schema = schema;
    this.#metadata = metadata;
  }

  decode(value: unknown, { mode }: DecodeOptions): Decoded {
    if (!isObject(value)) {
      return { value: {}, unknown: [], errors: [{ path: '', message: 'json: cannot unmarshal into an object' }] };
    }
    const { metadata, ...rest } = value;
    const unknown: string[] = [];
    const meta = this.#metadata.decode(metadata ?? {}, { mode });
    if (meta.errors.length > 0) return { value: {}, unknown: [], errors: meta.errors };
    unknown.push(...meta.unknown.map((path) => `metadata.${path}`));
    const fields = deepCopy(rest);
    unknown.push(...prune(fields, this.#schema, { isRoot: true }));
    pruneNulls(fields, this.#schema);
    const coerced = coerceEmbedded(fields, this.#schema, { metadata: this.#metadata, path: new FieldPath() });
    if (coerced.error !== undefined) {
      const { error } = coerced;
      return { value: {}, unknown: [], errors: [{ path: error.field, message: fieldErrorText(error) }] };
    }
    unknown.push(...coerced.unknown.toSorted());
    return { value: { metadata: meta.value ?? {}, ...fields }, unknown, errors: [] };
  }
}
