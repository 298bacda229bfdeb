import type { ResourceDefinition } from '#api/registry/resource.ts';
import { spliceVersion } from '#machinery/codec/json.ts';
import { apiVersionOf, type KubeObject } from '#machinery/meta/types.ts';
import type { Revision } from '#store/store.ts';
import type { WatchFrame } from '../../pipeline/types.ts';
import type { FrameForm } from '../../storage/change.ts';
import type { Entry } from '../../storage/entry.ts';
import type { Representation } from './negotiate.ts';
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

/** How frames of a watch look for a client's representation. */
export function frameFormOf(definition: ResourceDefinition, { shape }: Representation, nowMs: () => number): FrameForm {
  const key = `${apiVersionOf(definition)} ${shape.type} ${shape.type === 'table' ? `${shape.version}${shape.includeObject}` : ''}`;
  switch (shape.type) {
    case 'object':
      return servesStoredBytes(definition)
        ? { key, frame: (type, entry) => new StoredFrame(type, entry) }
        : { key, frame: (type, entry) => shapedFrame(definition, type, entry, (object) => object) };
    case 'partial':
      return {
        key,
        frame: (type, entry) => shapedFrame(definition, type, entry, (o) => partialObject(o, shape.version)),
      };
    case 'table':
      return {
        key,
        frame: (type, entry) =>
          shapedFrame(definition, type, entry, (object) =>
            tableOf(definition, [object], tableMetadata(object.metadata), { ...shape, nowMs: nowMs() }),
          ),
      };
  }
}

/** How bookmarks look; always an object of the kind with nothing but a resourceVersion. */
export function bookmarkOf(
  definition: ResourceDefinition,
  { shape }: Representation,
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
    return new ValueFrame('BOOKMARK', wire, () => object);
  };
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

class ValueFrame implements WatchFrame {
  readonly type: WatchFrame['type'];
  readonly bytes: readonly Uint8Array[];
  readonly #object: () => KubeObject;

  constructor(type: WatchFrame['type'], value: unknown, object: () => KubeObject) {
    this.type = type;
    this.bytes = [Buffer.from(`${JSON.stringify({ type, object: value })}\n`)];
    this.#object = object;
  }

  get object(): KubeObject {
    return this.#object();
  }
}

function shapedFrame(
  definition: ResourceDefinition,
  type: EventType,
  entry: Entry,
  shape: (object: KubeObject) => unknown,
): WatchFrame {
  return new ValueFrame(type, shape(servedObject(definition, entry)), () => frozenObject(definition, entry));
}
