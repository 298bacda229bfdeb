import { badRequest } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import {
  jsonResponse,
  type Authorizer,
  type Handler,
  type RequestContext,
  type UserInfo,
} from '../../pipeline/types.ts';
import { reviewQuestion } from './access-review-question.ts';
import { fields, readObject, text, texts } from './body.ts';

const GROUP = 'authorization.k8s.io';
const API_VERSION = `${GROUP}/v1`;

/** Handlers of the four reviews by which clients ask what somebody may do. */
export function accessReviewHandlers(authorizer: Authorizer): Map<string, Handler> {
  return new Map([
    [
      `${GROUP}/subjectaccessreviews`,
      async (context) => {
        const review = await readObject(context, { apiVersion: API_VERSION, kind: 'SubjectAccessReview' });
        return answer(review, { user: subjectOf(review), authorizer });
      },
    ],
    [
      `${GROUP}/localsubjectaccessreviews`,
      async (context) => {
        const review = await readObject(context, { apiVersion: API_VERSION, kind: 'LocalSubjectAccessReview' });
        const local = { ...review, metadata: inNamespace(review, context.info.namespace) };
        return answer(local, { user: subjectOf(review), authorizer });
      },
    ],
    [
      `${GROUP}/selfsubjectaccessreviews`,
      async (context) => {
        const review = await readObject(context, { apiVersion: API_VERSION, kind: 'SelfSubjectAccessReview' });
        return answer(review, { user: context.user, authorizer });
      },
    ],
    [`${GROUP}/selfsubjectrulesreviews`, (context) => rulesReview(context, authorizer)],
  ] satisfies [string, Handler][]);
}

async function answer(
  review: KubeObject & Record<string, unknown>,
  options: { user: UserInfo; authorizer: Authorizer },
) {
  const { attributes, evaluationError } = reviewQuestion(review, options.user);
  const decision = await options.authorizer.authorize(attributes);
  const status = {
    allowed: decision.type === 'allow',
    ...(decision.type === 'deny' && { denied: true }),
    ...(decision.reason !== '' && { reason: decision.reason }),
    ...(evaluationError !== '' && { evaluationError }),
  };
  return jsonResponse(201, reviewObject(review, status));
}

/** In the order and with the empty fields that upstream encodes. */
function reviewObject(review: KubeObject & Record<string, unknown>, status: object) {
  const { kind, apiVersion, metadata, spec } = review;
  return { kind, apiVersion, metadata, spec, status };
}

async function rulesReview(context: RequestContext, authorizer: Authorizer) {
  const review = await readObject(context, { apiVersion: API_VERSION, kind: 'SelfSubjectRulesReview' });
  const namespace = text(fields(review['spec'])['namespace']);
  if (namespace === '') throw badRequest('no namespace on request');
  const { resourceRules, nonResourceRules } = authorizer.rulesFor(context.user, namespace);
  return jsonResponse(201, reviewObject(review, { resourceRules, nonResourceRules, incomplete: false }));
}

function subjectOf(review: Record<string, unknown>): UserInfo {
  const spec = fields(review['spec']);
  const uid = text(spec['uid']);
  const extra = Object.entries(fields(spec['extra'])).map(([key, values]) => [key, texts(values)] as const);
  return {
    username: text(spec['user']),
    ...(uid !== '' && { uid }),
    groups: texts(spec['groups']),
    extra: Object.fromEntries(extra),
  };
}

/** A namespaced object that names no namespace gets the request's; one that names another is refused. */
function inNamespace({ metadata }: KubeObject, namespace: string): KubeObject['metadata'] {
  if (metadata.namespace === undefined || metadata.namespace === '') return { ...metadata, namespace };
  if (metadata.namespace === namespace) return metadata;
  throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
}
