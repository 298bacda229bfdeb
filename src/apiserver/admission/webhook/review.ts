import { isObject } from '#api/apiextensions/structural/json-schema.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { AdmissionRequest } from '../../pipeline/types.ts';
import { admissionRequestOf } from '../policy/activation.ts';

const GROUP = 'admission.k8s.io';

export type ReviewVersion = 'v1' | 'v1beta1';

/** What a webhook is asked about: the objects in the version that its rules name. */
export interface ReviewSubject {
  /** As which resource the request matched. */
  readonly definition: ResourceDefinition;
  readonly object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
}

/** An `AdmissionReview` that asks; shapes as in `k8s.io/api/admission`. */
export function reviewOf(
  request: AdmissionRequest,
  { definition, object, oldObject }: ReviewSubject,
  { uid, version }: { uid: string; version: ReviewVersion },
): object {
  const base = admissionRequestOf(request, definition);
  const { user, info } = request;
  const { uid: userUid = '', groups, extra = {}, username } = user;
  const name = info.name === '' ? ((object ?? oldObject)?.metadata.name ?? '') : info.name;
  const given = request.object ?? request.oldObject;
  return {
    kind: 'AdmissionReview',
    apiVersion: `${GROUP}/${version}`,
    request: {
      uid,
      kind: kindOf(object ?? oldObject, base['kind']),
      resource: base['resource'],
      ...(info.subresource !== '' && { subResource: info.subresource }),
      requestKind: kindOf(given, base['requestKind']),
      requestResource: base['requestResource'],
      ...(info.subresource !== '' && { requestSubResource: info.subresource }),
      ...(name !== '' && { name }),
      ...(info.namespace !== '' && { namespace: info.namespace }),
      operation: request.operation,
      userInfo: {
        ...(username !== '' && { username }),
        ...(userUid !== '' && { uid: userUid }),
        ...(groups.length > 0 && { groups }),
        ...(Object.keys(extra).length > 0 && { extra }),
      },
      object: object ?? null,
      oldObject: oldObject ?? null,
      dryRun: request.dryRun,
      options: request.operation === 'CONNECT' ? null : (request.options?.() ?? base['options']),
    },
  };
}

/** The object says best what it is: subresources speak kinds of their own. */
function kindOf(object: KubeObject | undefined, otherwise: unknown): unknown {
  if (object === undefined) return otherwise;
  const [version = '', group = ''] = (object.apiVersion ?? '').split('/').toReversed();
  return { group, version, kind: object.kind };
}

/** A verified answer of a webhook. */
export interface ReviewAnswer {
  readonly isAllowed: boolean;
  readonly result: Readonly<Record<string, unknown>>;
  /** The patch as it came: base64. Absent: nothing is to change. */
  readonly patch: string | undefined;
  readonly patchType: string;
  readonly auditAnnotations: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
}

/** Reads and checks an answer; throws an `Error` that says what is wrong with it. */
export function verifiedAnswer(
  answer: unknown,
  { uid, version, isMutating }: { uid: string; version: ReviewVersion; isMutating: boolean },
): ReviewAnswer {
  const review = fieldsOf(answer);
  const { response } = review;
  if (!isObject(response)) throw new Error('webhook response was absent');
  if (version === 'v1') checkV1(review, response, { uid, isMutating });
  const { patch, patchType, warnings } = response;
  const hasPatch = isMutating && typeof patch === 'string' && patch !== '';
  return {
    isAllowed: response['allowed'] === true,
    result: fieldsOf(response['status']),
    patch: hasPatch ? patch : undefined,
    // The first version of reviews did not look at it.
    patchType: version === 'v1' ? text(patchType) : 'JSONPatch',
    auditAnnotations: fieldsOf(response['auditAnnotations']),
    warnings: Array.isArray(warnings) ? warnings.filter((warning) => typeof warning === 'string') : [],
  };
}

function checkV1(
  { kind, apiVersion }: Record<string, unknown>,
  { uid: given, patch: raw, patchType }: Record<string, unknown>,
  { uid, isMutating }: { uid: string; isMutating: boolean },
): void {
  if (given !== uid) {
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(text(given))}`);
  }
  if (kind !== 'AdmissionReview' || apiVersion !== `${GROUP}/v1`) {
    const got = `${text(apiVersion) === '' ? '/' : text(apiVersion)}, Kind=${text(kind)}`;
    throw new Error(`expected webhook response of ${GROUP}/v1, Kind=AdmissionReview, got ${got}`);
  }
  const hasPatch = typeof raw === 'string' && raw !== '';
  const hasType = patchType !== undefined && patchType !== null;
  if (!isMutating) {
    if (hasPatch) throw new Error('validating webhook may not return response.patch');
    if (hasType) throw new Error('validating webhook may not return response.patchType');
    return;
  }
  if (hasPatch && !hasType) throw new Error('webhook returned response.patch but not response.patchType');
  if (!hasPatch && hasType) throw new Error('webhook returned response.patchType but not response.patch');
  if (hasType && text(patchType) === '') throw new Error('webhook returned invalid response.patchType of ""');
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
