import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import { forbidden } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { AdmissionRequest, Authorizer } from '../../pipeline/types.ts';
import type { AdmissionDeps } from '../plugin.ts';
import { activationOf } from '../policy/activation.ts';
import { checkConditions } from '../policy/conditions.ts';
import { type MatchedAs, RequestMatcher } from '../policy/request-match.ts';
import { inVersion } from '../policy/versions.ts';
import type { ConfiguredWebhook } from './configured-webhooks.ts';
import type { ReviewSubject } from './review.ts';

/** Turns a custom resource into another served version; absent: versions differ in nothing but their name. */
export type ConvertCustom = (object: KubeObject, to: ResourceDefinition) => KubeObject | Promise<KubeObject>;

export interface InvocationDeps {
  readonly view: AdmissionDeps['view'];
  readonly registry: ResourceRegistry;
  readonly authorizer: Authorizer;
  readonly convertCustom?: ConvertCustom;
}

/** Finds out which webhooks a request is for, and what they get to see. */
export class Invocations {
  readonly #deps: InvocationDeps;
  readonly #matcher: RequestMatcher;

  constructor(deps: InvocationDeps) {
    this.#deps = deps;
    this.#matcher = new RequestMatcher(deps);
  }

  /** As what the request is for the webhook; `undefined`: it is not. Throws 403 where its conditions fail closed. */
  async match(
    { webhook, matching, conditions }: ConfiguredWebhook,
    request: AdmissionRequest,
    isMutating: boolean,
  ): Promise<MatchedAs | undefined> {
    // A policy without rules is about all that its selectors choose; a webhook without rules is about nothing.
    if (matching.resourceRules?.length === 0) return undefined;
    const matched = this.#matcher.match(matching, request);
    if (matched === undefined || conditions.length === 0) return matched;
    const { object, oldObject } = await this.subject(matched, request);
    const seen = { ...request, ...(object !== undefined && { object }), ...(oldObject !== undefined && { oldObject }) };
    const { definition } = matched;
    const result = checkConditions(
      conditions,
      activationOf(seen, {
        requested: definition,
        definition,
        namespace: this.#matcher.namespaceAround(request),
        authorizer: this.#deps.authorizer,
      }),
    );
    if (result.type === 'matches') return matched;
    if (result.type === 'differs' || webhook.failurePolicy === 'Ignore') {
      request.metrics?.excluded({
        name: webhook.name,
        type: isMutating ? 'admit' : 'validating',
        operation: request.operation,
      });
      return undefined;
    }
    const { group, resource, name } = request.info;
    throw forbidden({ group, resource, name: name === '' ? (object?.metadata.name ?? '') : name }, result.message);
  }

  /** The objects in the version that was matched. */
  async subject({ definition, requested }: MatchedAs, { object, oldObject }: AdmissionRequest): Promise<ReviewSubject> {
    const shown = async (each: KubeObject | undefined): Promise<KubeObject | undefined> =>
      each === undefined ? undefined : this.convert(each, { from: requested, to: definition });
    return { definition, object: await shown(object), oldObject: await shown(oldObject) };
  }

  convert(
    object: KubeObject,
    { from, to }: { from: ResourceDefinition; to: ResourceDefinition },
  ): KubeObject | Promise<KubeObject> {
    const { convertCustom } = this.#deps;
    if (from === to || object.kind !== from.kind) return object;
    return to.isCustom === true && convertCustom !== undefined
      ? convertCustom(object, to)
      : inVersion(object, from, to);
  }
}
