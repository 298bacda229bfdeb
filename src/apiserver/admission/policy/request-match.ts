import type { MatchResources, NamedRuleWithOperations, RuleWithOperations } from '#api/generated/types.ts';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { KubeObject, LabelSelector } from '#machinery/meta/types.ts';
import { compileLabelSelector, type LabelMatcher } from '#machinery/selectors/label-selector.ts';
import type { AdmissionRequest } from '../../pipeline/types.ts';
import type { AdmissionDeps } from '../plugin.ts';

type Rule = RuleWithOperations & Pick<NamedRuleWithOperations, 'resourceNames'>;

/** What decides whether a policy or a webhook looks at a request. */
export type Matching = Pick<
  MatchResources,
  'resourceRules' | 'excludeResourceRules' | 'namespaceSelector' | 'objectSelector' | 'matchPolicy'
>;

/** What a request is for whoever matched it: its own resource, or the equivalent one that its rules name. */
export interface MatchedAs {
  readonly definition: ResourceDefinition;
  /** The resource that the request is for. */
  readonly requested: ResourceDefinition;
}

/** Admission control never looks at itself, nor at questions about users and rights: nobody could repair it. */
const EXEMPT: ReadonlySet<string> = new Set([
  'admissionregistration.k8s.io/validatingadmissionpolicies',
  'admissionregistration.k8s.io/validatingadmissionpolicybindings',
  'admissionregistration.k8s.io/mutatingadmissionpolicies',
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings',
  'admissionregistration.k8s.io/validatingwebhookconfigurations',
  'admissionregistration.k8s.io/mutatingwebhookconfigurations',
  'authentication.k8s.io/selfsubjectreviews',
  'authentication.k8s.io/tokenreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  'authorization.k8s.io/subjectaccessreviews',
]);

export function isExempt({ info }: AdmissionRequest): boolean {
  return EXEMPT.has(`${info.group}/${info.resource}`);
}

/** Holds requests against rules and selectors, as upstream's `pkg/admission/plugin/webhook/predicates` does. */
export class RequestMatcher {
  readonly #registry: ResourceRegistry;
  readonly #view: AdmissionDeps['view'];
  readonly #selectors = new WeakMap<LabelSelector, LabelMatcher>();
  #equivalents = new Map<string, readonly ResourceDefinition[]>();
  #equivalentsRevision = -1;

  constructor(deps: { registry: ResourceRegistry; view: AdmissionDeps['view'] }) {
    this.#registry = deps.registry;
    this.#view = deps.view;
  }

  /** As which resource the request matches; `undefined` where it does not. */
  match(matching: Matching, request: AdmissionRequest): MatchedAs | undefined {
    const { info } = request;
    const definition = this.#registry.byResource(info.group, info.version, info.resource);
    if (definition === undefined) return undefined;
    if (!this.#selectsNamespace(matching.namespaceSelector, request)) return undefined;
    if (!this.#selectsObject(matching.objectSelector, request)) return undefined;
    const excluded = matching.excludeResourceRules ?? [];
    if (this.#matchRules(excluded, definition, { request, policy: matching.matchPolicy }) !== undefined) {
      return undefined;
    }
    const rules = matching.resourceRules;
    // No rules at all: the other conditions decide alone, as for the bindings of policies.
    if (rules === undefined || rules.length === 0) return { definition, requested: definition };
    return this.#matchRules(rules, definition, { request, policy: matching.matchPolicy });
  }

  /** The labelled namespace that the request is in, or that it writes. */
  namespaceOf({ info, object }: AdmissionRequest): KubeObject | undefined {
    if (info.group === '' && info.resource === 'namespaces') {
      return info.name === '' ? object : (this.#view('', 'namespaces').get(info.name) ?? object);
    }
    return info.namespace === '' ? undefined : this.#view('', 'namespaces').get(info.namespace);
  }

  /** The namespace that the request's object is in; a Namespace is in none. */
  namespaceAround(request: AdmissionRequest): KubeObject | undefined {
    const { group, resource } = request.info;
    return group === '' && resource === 'namespaces' ? undefined : this.namespaceOf(request);
  }

  #matchRules(
    rules: readonly Rule[],
    definition: ResourceDefinition,
    { request, policy }: { request: AdmissionRequest; policy: string | undefined },
  ): MatchedAs | undefined {
    if (rules.some((rule) => matchesRule(rule, definition, request))) {
      return { definition, requested: definition };
    }
    if (policy === 'Exact') return undefined;
    const equivalents = this.#equivalentsOf(definition);
    // Earlier rules are honoured first, whatever versions the resource has.
    const other = rules
      .map((rule) => equivalents.find((candidate) => matchesRule(rule, candidate, request)))
      .find((candidate) => candidate !== undefined);
    return other === undefined ? undefined : { definition: other, requested: definition };
  }

  /** The other versions of the same objects. */
  #equivalentsOf(definition: ResourceDefinition): readonly ResourceDefinition[] {
    const { storagePrefix } = definition;
    if (storagePrefix === undefined) return [];
    if (this.#equivalentsRevision !== this.#registry.revision) {
      this.#equivalents = Map.groupBy(this.#registry.all(), (candidate) => candidate.storagePrefix ?? '');
      this.#equivalentsRevision = this.#registry.revision;
    }
    return (this.#equivalents.get(storagePrefix) ?? []).filter((candidate) => candidate !== definition);
  }

  #selectsNamespace(selector: LabelSelector | undefined, request: AdmissionRequest): boolean {
    if (isEverything(selector)) return true;
    const { info } = request;
    // Other objects of the whole cluster are in no namespace that could be left out.
    if (info.namespace === '' && !(info.group === '' && info.resource === 'namespaces')) return true;
    return this.#compiled(selector).matches(this.namespaceOf(request)?.metadata.labels);
  }

  #selectsObject(selector: LabelSelector | undefined, { object, oldObject }: AdmissionRequest): boolean {
    if (isEverything(selector)) return true;
    const matcher = this.#compiled(selector);
    return [object, oldObject].some((each) => each !== undefined && matcher.matches(each.metadata.labels));
  }

  #compiled(selector: LabelSelector): LabelMatcher {
    let matcher = this.#selectors.get(selector);
    if (matcher === undefined) {
      matcher = compileLabelSelector(selector);
      this.#selectors.set(selector, matcher);
    }
    return matcher;
  }
}

function isEverything(selector: LabelSelector | undefined): selector is undefined {
  if (selector === undefined) return true;
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return Object.keys(matchLabels).length === 0 && matchExpressions.length === 0;
}

function matchesRule(rule: Rule, definition: ResourceDefinition, request: AdmissionRequest): boolean {
  return (
    hasOrAll(rule.operations, request.operation) &&
    hasOrAll(rule.apiGroups, definition.group) &&
    hasOrAll(rule.apiVersions, definition.version) &&
    matchesScope(rule.scope, definition) &&
    matchesResource(rule.resources ?? [], definition.resource, request.info.subresource) &&
    matchesName(rule.resourceNames, request)
  );
}

function hasOrAll(values: readonly string[] | undefined, value: string): boolean {
  return values !== undefined && (values.includes('*') || values.includes(value));
}

function matchesScope(scope: string | undefined, { namespaced }: ResourceDefinition): boolean {
  return scope === undefined || scope === '*' || (scope === 'Namespaced') === namespaced;
}

function matchesResource(patterns: readonly string[], resource: string, subresource: string): boolean {
  return patterns.some((pattern) => {
    const [wanted = '', wantedSub = ''] = pattern.split('/');
    return (wanted === '*' || wanted === resource) && (wantedSub === '*' || wantedSub === subresource);
  });
}

function matchesName(names: readonly string[] | undefined, { info, object }: AdmissionRequest): boolean {
  if (names === undefined || names.length === 0) return true;
  return names.includes(info.name === '' ? (object?.metadata.name ?? '') : info.name);
}
