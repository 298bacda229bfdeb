import { invalidValue, required, type FieldError } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { badRequest, invalid } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import {
  jsonResponse,
  type AuthorizationAttributes,
  type Authorizer,
  type Handler,
  type RequestContext,
  type UserInfo,
} from '../../pipeline/types.ts';
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
        checkNamespace(review, context.info.namespace);
        return answer(review, { user: subjectOf(review), authorizer });
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
  const question = attributesOf(review, options.user);
  const decision = await options.authorizer.authorize(question);
  const status = {
    allowed: decision.type === 'allow',
    ...(decision.type === 'deny' && { denied: true }),
    ...(decision.reason !== '' && { reason: decision.reason }),
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

function attributesOf(review: KubeObject & Record<string, unknown>, user: UserInfo): AuthorizationAttributes {
  const spec = fields(review['spec']);
  validate(review, spec);
  const resource = spec['resourceAttributes'];
  const base = { group: '', version: '', resource: '', subresource: '', namespace: '', name: '', path: '' };
  if (resource === undefined || resource === null) {
    const { path, verb } = fields(spec['nonResourceAttributes']);
    return { ...base, user, isResourceRequest: false, path: text(path), verb: text(verb) };
  }
  const asked = fields(resource);
  return {
    ...base,
    user,
    isResourceRequest: true,
    verb: text(asked['verb']),
    group: text(asked['group']),
    version: text(asked['version']),
    resource: text(asked['resource']),
    subresource: text(asked['subresource']),
    namespace: text(asked['namespace']),
    name: text(asked['name']),
  };
}

function validate(review: KubeObject, spec: Record<string, unknown>): void {
  const path = new FieldPath('spec');
  const errors: FieldError[] = [];
  const hasResource = spec['resourceAttributes'] !== undefined && spec['resourceAttributes'] !== null;
  const hasPath = spec['nonResourceAttributes'] !== undefined && spec['nonResourceAttributes'] !== null;
  if (hasResource && hasPath) {
    const detail = 'cannot be specified in combination with resourceAttributes';
    errors.push(invalidValue(path.child('nonResourceAttributes'), spec['nonResourceAttributes'], detail));
  }
  if (!hasResource && !hasPath) {
    const detail = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    errors.push(invalidValue(path.child('resourceAttributes'), spec['nonResourceAttributes'] ?? null, detail));
  }
  const isSelf = review.kind.startsWith('Self');
  if (!isSelf && text(spec['user']) === '' && texts(spec['groups']).length === 0) {
    errors.push(required(path.child('user'), 'at least one of user or group must be specified'));
  }
  if (errors.length === 0) return;
  const causes = errors.map((error) => ({ ...error, text: `${error.field}: ${error.message}` }));
  throw invalid({ group: GROUP, kind: review.kind, name: '' }, causes);
}

function checkNamespace(review: Record<string, unknown>, namespace: string): void {
  const asked = fields(fields(review['spec'])['resourceAttributes'])['namespace'];
  if (text(asked) === namespace) return;
  throw badRequest(
    'spec.resourceAttributes.namespace must match namespace: ' +
      `the namespace of the provided object does not match the namespace sent on the request`,
  );
}
