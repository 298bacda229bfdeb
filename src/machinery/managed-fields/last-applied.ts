import { encodeValue, decodeJson } from '../codec/json.ts';
import type { KubeObject } from '../meta/types.ts';
import { compare } from './compare.ts';
import { fieldSet, isFields } from './field-set.ts';
import { difference, type FieldTree, LEAF } from './field-tree.ts';
import type { Plan } from './plan.ts';

/** Where `kubectl apply` without `--server-side` keeps what it applied. */
export const LAST_APPLIED_ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';
/** Upstream's limit of all annotations; a longer configuration is not kept. */
const ANNOTATION_BYTES_MAX = 256 * 1024;

export function hasLastApplied({ metadata }: KubeObject): boolean {
  return (metadata.annotations?.[LAST_APPLIED_ANNOTATION] ?? '') !== '';
}

/**
 * The fields of the last client-side apply that the object still has as they were applied; `undefined` where there was
 * none, or one of another version. kubectl's server-side apply may take these over without a conflict.
 */
export function fieldsOfLastApplied(plan: Plan, live: KubeObject): FieldTree | undefined {
  const text = live.metadata.annotations?.[LAST_APPLIED_ANNOTATION] ?? '';
  if (text === '') return undefined;
  const last = parsed(text);
  if (!isFields(last) || last['apiVersion'] !== live.apiVersion) return undefined;
  const { changed = LEAF, removed = LEAF } = compare(plan, last, live);
  return difference(difference(fieldSet(plan, last), changed), removed);
}

function parsed(text: string): unknown {
  try {
    return decodeJson(Buffer.from(text)).value;
  } catch {
    // Somebody else's text: there is nothing to take over.
    return undefined;
  }
}

/** The object whose annotation tells of this apply, so that a later client-side apply starts from it. */
export function withLastApplied(object: KubeObject, applied: KubeObject): KubeObject {
  const { annotations = {}, ...metadata } = applied.metadata;
  const { [LAST_APPLIED_ANNOTATION]: _, ...others } = annotations;
  const given = Object.keys(others).length === 0 ? metadata : { ...metadata, annotations: others };
  const text = `${encodeValue({ ...applied, metadata: given })}\n`;
  const kept = { ...object.metadata.annotations };
  if (kept[LAST_APPLIED_ANNOTATION] === text) return object;
  if (Buffer.byteLength(text) > ANNOTATION_BYTES_MAX) delete kept[LAST_APPLIED_ANNOTATION];
  else kept[LAST_APPLIED_ANNOTATION] = text;
  return { ...object, metadata: { ...object.metadata, annotations: kept } };
}
