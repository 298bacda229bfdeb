import type { ResourceDefinition } from '#api/registry/resource.ts';
import { encodeCbor } from '#machinery/codec/cbor.ts';
import { encodeJson } from '#machinery/codec/json.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { Entry } from '../../storage/entry.ts';
import { parseStored } from '../../storage/object-cache.ts';
import type { Forms } from './forms.ts';
import type { Encoding, Representation, Shape } from './negotiate.ts';
import { partialSlices, partialObject } from './partial.ts';
import { frozenObject, servedObject, servesStoredBytes } from './serve.ts';
import { rowOf } from './table.ts';

/** How one stored object looks inside a larger answer. */
export interface ItemForm {
  /** The value before it is encoded. */
  readonly value: (entry: Entry) => unknown;
  /** Its bytes, not to be changed; the bare message where the encoding is protobuf. */
  readonly encode: (entry: Entry, use?: BytesUse) => Uint8Array;
  /** The same, borrowed, in slices that share what is stored. */
  readonly slices: (entry: Entry) => readonly Uint8Array[];
}

/**
 * `keep`: also for the next reader (default). `own`: for this one alone. `borrow`: only until anything else is encoded.
 */
export type BytesUse = 'keep' | 'own' | 'borrow';

const PARTIAL_MESSAGE = 'k8s.io.apimachinery.pkg.apis.meta.v1.PartialObjectMetadata';

/** The form of a resource's objects in one representation, whose encoding was loaded. */
export function itemForm(
  forms: Forms,
  definition: ResourceDefinition,
  { representation, nowMs }: { representation: Representation; nowMs: number },
): ItemForm {
  const { shape, encoding } = representation;
  const value = valueForm(definition, { shape, nowMs });
  // What is cut out of the stored bytes is not worth keeping; ages in tables change with time.
  if (encoding === 'json' && servesStoredBytes(definition)) {
    if (shape.type === 'object') return slicedForm(value, (entry) => entry.slices());
    if (shape.type === 'partial') return slicedForm(value, (entry) => partialSlices(entry, shape.version));
  }
  const encode = encoderOf(forms, { definition, shape, encoding });
  if (shape.type === 'table') {
    return { value, encode: (entry) => encode(value(entry)), slices: (entry) => [encode(value(entry))] };
  }
  const key = forms.formKey(definition, `${encoding} ${shape.type}${shape.type === 'partial' ? shape.version : ''}`);
  const encodeFor = (entry: Entry, use: BytesUse = 'keep'): Uint8Array => {
    // The object of a deletion stands at a revision that may be another object's.
    const known = entry.isGone ? undefined : forms.get(key, entry);
    if (known !== undefined) return known;
    const bytes = encode(value(entry));
    if (use === 'keep' && !entry.isGone) return forms.keep(key, entry, bytes);
    return use === 'borrow' || encoding !== 'protobuf' ? bytes : Buffer.from(bytes);
  };
  return { value, encode: encodeFor, slices: (entry) => [encodeFor(entry, 'borrow')] };
}

function slicedForm(value: ItemForm['value'], slices: (entry: Entry) => Uint8Array[]): ItemForm {
  return { value, slices, encode: (entry) => Buffer.concat(slices(entry)) };
}

function valueForm(
  definition: ResourceDefinition,
  { shape, nowMs }: { shape: Shape; nowMs: number },
): (entry: Entry) => unknown {
  switch (shape.type) {
    case 'object':
      return (entry) => servedObject(definition, entry);
    case 'partial':
      // Only the metadata is read, where it is as it is stored.
      return servesStoredBytes(definition)
        ? (entry) => parseStored(Buffer.concat(partialSlices(entry, shape.version)))
        : (entry) => partialObject(servedObject(definition, entry), shape.version);
    case 'table': {
      const options = { ...shape, nowMs };
      // Rows without whole objects are made of the cached ones, which lack only managedFields.
      const read: (definition: ResourceDefinition, entry: Entry) => KubeObject =
        shape.includeObject === 'Object' ? servedObject : frozenObject;
      return (entry) => rowOf(definition, read(definition, entry), options);
    }
  }
}

/** Encodes a value; protobuf in memory that is lent. */
function encoderOf(
  forms: Forms,
  { definition, shape, encoding }: { definition: ResourceDefinition; shape: Shape; encoding: Encoding },
): (value: unknown) => Uint8Array {
  if (encoding === 'cbor') return encodeCbor;
  if (encoding !== 'protobuf') return encodeJson;
  const { codec } = forms;
  const message = shape.type === 'partial' ? PARTIAL_MESSAGE : messageName(forms, definition);
  // Safe: values of a stored object are objects.
  return (value) => codec.borrowMessage(message, value as object);
}

function messageName({ codec }: Forms, { group, version, kind }: ResourceDefinition): string {
  const apiVersion = group === '' ? version : `${group}/${version}`;
  const message = codec.messageOf({ apiVersion, kind });
  if (message === undefined) throw new Error(`${apiVersion} ${kind} has no protobuf form`);
  return message;
}
