import type { CustomResourceDefinition } from '#api/generated/types.ts';
import { isObject } from '#api/apiextensions/structural/json-schema.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { StatusError } from '#machinery/errors/status-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { fieldErrorText } from '#machinery/field/field-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { validateAnnotations, validateLabels } from '#machinery/validation/metadata.ts';
import type { WebhookClient, WebhookTarget } from '../webhook/webhook-client.ts';
import type { Converter } from './conversion.ts';

const TIMEOUT_MS = 30_000;
const REVIEW_GROUP = 'apiextensions.k8s.io';

export interface WebhookConverterInit {
  readonly crd: CustomResourceDefinition;
  readonly webhooks: WebhookClient;
  readonly uuid: () => string;
}

/** Strategy `Webhook`: asks a ConversionReview of somebody outside. */
export class WebhookConverter implements Converter {
  readonly isRemote = true;
  readonly #group: string;
  readonly #kind: string;
  readonly #target: WebhookTarget;
  readonly #reviewVersion: string | undefined;
  readonly #webhooks: WebhookClient;
  readonly #uuid: () => string;

  constructor({ crd, webhooks, uuid }: WebhookConverterInit) {
    const webhook = crd.spec.conversion?.webhook;
    this.#group = crd.spec.group;
    this.#kind = crd.spec.names.kind;
    this.#target = webhook?.clientConfig ?? {};
    this.#reviewVersion = webhook?.conversionReviewVersions.find((name) => name === 'v1' || name === 'v1beta1');
    this.#webhooks = webhooks;
    this.#uuid = uuid;
  }

  async convert(objects: KubeObject[], version: string): Promise<KubeObject[]> {
    const desired = `${this.#group}/${version}`;
    const others = objects.filter((object) => object.apiVersion !== desired);
    if (others.length === 0) return objects;
    if (this.#reviewVersion === undefined) throw failure('no supported conversion review versions');
    const name = `${others[0]?.apiVersion ?? ''}, Kind=${this.#kind}`;
    const converted = await this.#ask(others, { desired, name });
    if (converted.length !== others.length) {
      throw failure(`conversion webhook for ${name} returned ${converted.length} objects, expected ${others.length}`);
    }
    const results = new Map(
      others.map((original, index) => [original, checked(original, converted[index], { desired, name, index })]),
    );
    return objects.map((object) => results.get(object) ?? object);
  }

  async #ask(objects: readonly KubeObject[], { desired, name }: { desired: string; name: string }): Promise<unknown[]> {
    const uid = this.#uuid();
    const review = {
      kind: 'ConversionReview',
      apiVersion: `${REVIEW_GROUP}/${this.#reviewVersion ?? 'v1'}`,
      request: { uid, desiredAPIVersion: desired, objects },
      response: { uid: '', convertedObjects: null, result: { metadata: {} } },
    };
    let answer: unknown;
    try {
      answer = await this.#webhooks.post(this.#target, review, { timeoutMs: TIMEOUT_MS });
    } catch (error) {
      throw failure(`conversion webhook for ${name} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
    try {
      return convertedObjects(answer, { uid, isV1: this.#reviewVersion === 'v1' });
    } catch (error) {
      throw failure(`conversion webhook for ${name} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** Upstream answers failures of conversion without a reason. */
function failure(message: string): StatusError {
  return new StatusError({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code: 500 });
}

function convertedObjects(answer: unknown, { uid, isV1 }: { uid: string; isV1: boolean }): unknown[] {
  const { kind, apiVersion, response } = fieldsOf(answer);
  if (isV1 && (kind !== 'ConversionReview' || apiVersion !== `${REVIEW_GROUP}/v1`)) {
    const got = `${text(apiVersion)}, Kind=${text(kind)}`;
    throw new Error(`expected webhook response of ${REVIEW_GROUP}/v1, Kind=ConversionReview, got ${got}`);
  }
  if (!isObject(response)) throw new Error('no response provided');
  if (isV1 && response['uid'] !== uid) {
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(text(response['uid']))}`);
  }
  const { status, message } = fieldsOf(response['result']);
  if (status !== 'Success') {
    if (typeof message === 'string' && message !== '') throw new Error(message);
    throw new Error(`response.result.status was '${text(status)}', not 'Success'`);
  }
  return Array.isArray(response['convertedObjects']) ? response['convertedObjects'] : [];
}

/** Takes over what the webhook may change, and refuses what it may not. */
function checked(
  original: KubeObject,
  converted: unknown,
  { desired, name, index }: { desired: string; name: string; index: number },
): KubeObject {
  const refuse = (reason: string): StatusError =>
    failure(`conversion webhook for ${name} returned invalid object at index ${index}: ${reason}`);
  if (!isObject(converted)) throw refuse('it is no object');
  const { apiVersion, kind, metadata } = converted;
  if (apiVersion !== desired) {
    throw refuse(`invalid groupVersion (expected ${desired}, received ${text(apiVersion)})`);
  }
  if (kind !== original.kind) throw refuse(`invalid kind (expected ${original.kind}, received ${text(kind)})`);
  if (metadata === undefined) {
    throw failure(`conversion webhook for ${name} returned invalid metadata: missing metadata in converted object`);
  }
  const meta = fieldsOf(metadata);
  for (const [field, label] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const) {
    const [before, after] = [original.metadata[field] ?? '', text(meta[field])];
    if (before === after) continue;
    throw failure(
      `conversion webhook for ${name} returned invalid object: must have the same ${label}: ${before} != ${after}`,
    );
  }
  try {
    // Safe: kind and apiVersion were checked; the rest is judged by the schema.
    return { ...converted, metadata: mergedMetadata(original.metadata, meta) } as unknown as KubeObject;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw failure(`conversion webhook for ${name} returned invalid metadata: ${reason}`);
  }
}

/** Labels and annotations are the webhook's, all else of metadata stays as it was. */
function mergedMetadata(original: KubeObject['metadata'], converted: Record<string, unknown>): KubeObject['metadata'] {
  const merged = { ...original };
  for (const field of ['labels', 'annotations'] as const) {
    const value = converted[field];
    if (value === undefined || value === null) {
      delete merged[field];
      continue;
    }
    if (!isObject(value)) throw new Error(`invalid metadata.${field} of type ${typeof value} in converted object`);
    for (const [key, one] of Object.entries(value)) {
      if (typeof one === 'string') continue;
      throw new Error(`metadata.${field}[${key}] must be a string, but is ${typeof one} in converted object`);
    }
    // Safe: all values were found to be strings.
    const texts = value as Record<string, string>;
    if (!deepEqual(texts, original[field] ?? {})) {
      const errors =
        field === 'labels'
          ? validateLabels(texts, new FieldPath('metadata.labels'))
          : validateAnnotations(texts, new FieldPath('metadata.annotation'));
      if (errors.length > 0) throw new Error(errors.map(fieldErrorText).join(', '));
    }
    merged[field] = texts;
  }
  return merged;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
