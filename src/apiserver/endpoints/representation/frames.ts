import type { ResourceDefinition } from '#api/registry/resource.ts';
import { spliceVersion } from '#machinery/codec/json.ts';
import type { Status } from '#machinery/errors/status-error.ts';
import { apiVersionOf, type KubeObject } from '#machinery/meta/types.ts';
import type { Revision } from '#store/store.ts';
import type { WatchFrame } from '../../pipeline/types.ts';
import type { FrameForm } from '../../storage/change.ts';
import type { Entry } from '../../storage/entry.ts';
import type { Forms } from './forms.ts';
import { frameOfItem, frameOfValue } from './frame-bytes.ts';
import { itemForm } from './items.ts';
import type { Representation, Shape } from './negotiate.ts';
import { partialObject } from './partial.ts';
import { frozenObject, servedObject, servesStoredBytes } from './serve.ts';
import { tableMetadata, tableOf } from './table.ts';

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

const FRAME_HEADS: Readonly<Record<EventType, Buffer>> = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
};
const FRAME_END = Buffer.from('}\n');

/** How frames of a watch look for a client's representation, whose encoding was loaded. */
export function frameFormOf(
  definition: ResourceDefinition,
  representation: Representation,
  { forms, nowMs }: { forms: Forms; nowMs: () => number },
): FrameForm {
  const { shape, encoding } = representation;
  const key = forms.formKey(definition, `${encoding} ${shapeKey(shape)}`);
  const error = (status: Status): WatchFrame => errorFrame(forms, representation, status);
  if (shape.type === 'table') {
    const frame = (type: EventType, entry: Entry, hasColumns: boolean): WatchFrame => {
      const object = servedObject(definition, entry);
      const table = tableOf(definition, [object], tableMetadata(object.metadata), { ...shape, nowMs: nowMs() });
      const shown = hasColumns ? table : { ...table, columnDefinitions: null };
      return new LazyFrame(type, {
        bytes: () => frameOfValue(forms, encoding, type, shown),
        object: () => frozenObject(definition, entry),
      });
    };
    const later = { key: `${key} later`, frame: (type: EventType, entry: Entry) => frame(type, entry, false), error };
    return { key, frame: (type, entry) => frame(type, entry, true), error, later };
  }
  if (shape.type === 'object' && encoding === 'json' && servesStoredBytes(definition)) {
    return { key, frame: (type, entry) => new StoredFrame(type, entry), error };
  }
  const form = itemForm(forms, definition, { representation, nowMs: 0 });
  const type =
    shape.type === 'partial'
      ? { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${shape.version}` }
      : { kind: definition.kind, apiVersion: apiVersionOf(definition) };
  const frame = (event: EventType, entry: Entry): WatchFrame =>
    new LazyFrame(event, {
      bytes: () => frameOfItem(encoding, event, { item: form.encode(entry), type }),
      object: () => frozenObject(definition, entry),
    });
  return { key, frame, error };
}

/** How bookmarks look; always an object of the kind with nothing but a resourceVersion. */
export function bookmarkOf(
  definition: ResourceDefinition,
  { shape, encoding }: Representation,
  forms: Forms,
): (revision: Revision, options: { isInitialEnd: boolean }) => WatchFrame {
  return (revision, { isInitialEnd }) => {
    const metadata = {
      resourceVersion: String(revision),
      ...(isInitialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
    };
    const object: KubeObject = { kind: definition.kind, apiVersion: apiVersionOf(definition), metadata };
    const wire =
      shape.type === 'table'
        ? { kind: 'Table', apiVersion: `meta.k8s.io/${shape.version}`, metadata, columnDefinitions: null, rows: [] }
        : shape.type === 'partial'
          ? partialObject(object, shape.version)
          : object;
    return new LazyFrame('BOOKMARK', {
      bytes: () => frameOfValue(forms, encoding, 'BOOKMARK', wire),
      object: () => object,
    });
  };
}

/** The last frame of a watch that failed. */
function errorFrame(forms: Forms, { encoding }: Representation, status: Status): WatchFrame {
  return new LazyFrame('ERROR', {
    bytes: () => frameOfValue(forms, encoding, 'ERROR', status),
    // Safe: a Status has kind, apiVersion and metadata as every object has.
    object: () => status as unknown as KubeObject,
  });
}

function shapeKey(shape: Shape): string {
  if (shape.type === 'object') return 'object';
  return shape.type === 'partial' ? `partial ${shape.version}` : `table ${shape.version} ${shape.includeObject}`;
}

/** A frame made of stored bytes; joined once and shared by all watchers of the event. */
class StoredFrame implements WatchFrame {
  readonly type: EventType;
  readonly #entry: Entry;
  #bytes: readonly Uint8Array[] | undefined;

  constructor(type: EventType, entry: Entry) {
    this.type = type;
    this.#entry = entry;
  }

  get bytes(): readonly Uint8Array[] {
    const { encoded, revision } = this.#entry;
    this.#bytes ??= [Buffer.concat([FRAME_HEADS[this.type], ...spliceVersion(encoded, revision), FRAME_END])];
    return this.#bytes;
  }

  get object(): KubeObject {
    return this.#entry.object;
  }
}

/** A frame that is encoded when the first of its watchers sends it. */
class LazyFrame implements WatchFrame {
  readonly type: WatchFrame['type'];
  readonly #make: { readonly bytes: () => Uint8Array; readonly object: () => KubeObject };
  #bytes: readonly Uint8Array[] | undefined;

  constructor(type: WatchFrame['type'], make: { readonly bytes: () => Uint8Array; readonly object: () => KubeObject }) {
    this.type = type;
    this.#make = make;
  }

  get bytes(): readonly Uint8Array[] {
    this.#bytes ??= [this.#make.bytes()];
    return this.#bytes;
  }

  get object(): KubeObject {
    return this.#make.object();
  }
}
