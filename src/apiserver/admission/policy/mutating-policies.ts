import { EXPECTED } from '#api/admissionregistration/v1/policy-expressions.ts';
import type { MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding } from '#api/generated/types.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import { CelError } from '#machinery/cel/errors.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { StatusError } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../../pipeline/types.ts';
import { refuse } from '../plugin.ts';
import { type Activation, activationOf } from './activation.ts';
import { type Compiled, CompiledCache, type CompiledHead, compileHead } from './compiled-policy.ts';
import { checkConditions } from './conditions.ts';
import { mergeConfiguration, MutationError, patchByOperations } from './mutation.ts';
import { collectParams } from './params.ts';
import { type BoundPolicy, PolicySource } from './policy-source.ts';
import { Budget, PolicyVariables } from './policy-variables.ts';
import { isExempt, RequestMatcher } from './request-match.ts';
import type { PolicyDeps } from './validating-policies.ts';

const COST_BUDGET = 10_000_000;

interface CompiledMutating extends CompiledHead {
  readonly mutations: readonly { readonly type: 'apply' | 'patch'; readonly compiled: Compiled }[];
}

type Bound = BoundPolicy<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding>;

export interface MutatingDeps extends PolicyDeps {
  readonly schemas: SchemaSet;
}

/** MutatingAdmissionPolicy: changes objects as the policies' expressions say (KEP-3962). */
export function mutatingAdmissionPolicies(deps: MutatingDeps): AdmissionPlugin {
  const matcher = new RequestMatcher(deps);
  const cache = new CompiledCache<CompiledMutating>();
  let source: PolicySource<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding> | undefined;
  return {
    name: 'MutatingAdmissionPolicy',
    mutate: (request) => {
      source ??= new PolicySource({
        policies: deps.view('admissionregistration.k8s.io', 'mutatingadmissionpolicies'),
        bindings: deps.view('admissionregistration.k8s.io', 'mutatingadmissionpolicybindings'),
      });
      const bound = source.all();
      if (bound.length === 0 || request.object === undefined || isExempt(request)) return;
      new MutationRun({ deps, matcher, cache, request }).run(bound);
    },
  };
}

/** All policies for one request, in order; those that wish it see what later ones have changed. */
class MutationRun {
  readonly #deps: MutatingDeps;
  readonly #matcher: RequestMatcher;
  readonly #cache: CompiledCache<CompiledMutating>;
  readonly #request: AdmissionRequest;

  constructor(init: {
    deps: MutatingDeps;
    matcher: RequestMatcher;
    cache: CompiledCache<CompiledMutating>;
    request: AdmissionRequest;
  }) {
    this.#deps = init.deps;
    this.#matcher = init.matcher;
    this.#cache = init.cache;
    this.#request = init.request;
  }

  run(bound: readonly Bound[]): void {
    let lastChange = -1;
    for (const [index, each] of bound.entries()) if (this.#runPolicy(each)) lastChange = index;
    for (const [index, each] of bound.entries()) {
      const isReinvoked = each.policy.spec?.reinvocationPolicy === 'IfNeeded';
      if (isReinvoked && index < lastChange) this.#runPolicy(each);
    }
  }

  /** Whether the object has changed. */
  #runPolicy({ policy, bindings }: Bound): boolean {
    const request = this.#request;
    const matched = this.#matcher.match(policy.spec?.matchConstraints ?? {}, request);
    if (matched === undefined) return false;
    let hasChanged = false;
    for (const binding of bindings) {
      const { matchResources, paramRef } = binding.spec ?? {};
      if (matchResources !== undefined && this.#matcher.match(matchResources, request) === undefined) continue;
      const { registry, view } = this.#deps;
      const params = collectParams(policy.spec?.paramKind, paramRef, {
        namespace: request.info.namespace,
        registry,
        view,
      });
      if (params.type === 'failed') {
        this.#fail(policy, binding, `failed to configure binding: ${params.message}`);
        continue;
      }
      for (const param of params.params) {
        hasChanged = this.#mutate({ policy, binding, param, definition: matched.definition }) || hasChanged;
      }
    }
    return hasChanged;
  }

  #mutate(run: {
    policy: MutatingAdmissionPolicy;
    binding: MutatingAdmissionPolicyBinding;
    param: KubeObject | undefined;
    definition: ResourceDefinition;
  }): boolean {
    const { policy, binding, definition } = run;
    const compiled = this.#cache.get(policy, () => compile(policy));
    const conditions = checkConditions(compiled.conditions, this.#activation(run));
    if (conditions.type === 'differs') return false;
    if (conditions.type === 'error') {
      this.#fail(policy, binding, conditions.message);
      return false;
    }
    const budget = new Budget(COST_BUDGET);
    let hasChanged = false;
    for (const { type, compiled: mutation } of compiled.mutations) {
      try {
        if ('problem' in mutation) throw new MutationError(mutation.problem);
        const base = this.#activation(run);
        const variables = new PolicyVariables({ programs: compiled.variables, activation: base, budget });
        const made = budget.evaluate(mutation.program, { ...base, variables });
        hasChanged = this.#replace(definition, type, made) || hasChanged;
      } catch (error) {
        if (!(error instanceof CelError || error instanceof MutationError)) throw error;
        this.#fail(policy, binding, `expression '${mutation.expression}' resulted in error: ${error.message}`);
      }
    }
    return hasChanged;
  }

  #activation({ param, definition }: { param: KubeObject | undefined; definition: ResourceDefinition }): Activation {
    const namespace = this.#matcher.namespaceOf(this.#request);
    const base = activationOf(this.#request, { definition, namespace, authorizer: this.#deps.authorizer });
    return { ...base, params: param ?? null };
  }

  #replace(definition: ResourceDefinition, type: 'apply' | 'patch', made: unknown): boolean {
    const { object } = this.#request;
    if (object === undefined) return false;
    const target = { definition, schemas: this.#deps.schemas };
    const next = type === 'apply' ? mergeConfiguration(object, made, target) : patchByOperations(object, made, target);
    if (deepEqual(next, object)) return false;
    // The object belongs to the write, which sees what becomes of it.
    for (const field of Object.keys(object)) Reflect.deleteProperty(object, field);
    Object.assign(object, next);
    return true;
  }

  #fail(policy: MutatingAdmissionPolicy, binding: MutatingAdmissionPolicyBinding, message: string): void {
    if (policy.spec?.failurePolicy === 'Ignore') return;
    const text = `policy '${policy.metadata.name}' with binding '${binding.metadata.name}' denied request: ${message}`;
    const { status } = refuse(this.#request, text);
    throw new StatusError({ ...status, reason: 'Invalid', code: 422 });
  }
}

function compile({ spec }: MutatingAdmissionPolicy): CompiledMutating {
  const head = compileHead(spec, { makesObjects: true });
  const mutations = (spec.mutations ?? []).map(({ applyConfiguration, jsonPatch }) =>
    jsonPatch === undefined
      ? {
          type: 'apply' as const,
          compiled: head.compile(applyConfiguration?.expression ?? '', EXPECTED.applyConfiguration),
        }
      : { type: 'patch' as const, compiled: head.compile(jsonPatch.expression ?? '', EXPECTED.jsonPatch) },
  );
  return { ...head, mutations };
}
