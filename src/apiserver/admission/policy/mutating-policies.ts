import { EXPECTED } from '#api/admissionregistration/v1/policy-expressions.ts';
import type { MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding } from '#api/generated/types.ts';
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
import { isExempt, type MatchedAs, RequestMatcher } from './request-match.ts';
import type { PolicyDeps } from './validating-policies.ts';
import { inVersion, objectTypeOf } from './versions.ts';

/** `apis/cel`'s RuntimeCELCostBudget, for each mutation. */
const COST_BUDGET = 10_000_000;

interface Mutation {
  readonly type: 'apply' | 'patch';
  readonly compiled: Compiled;
}

interface CompiledMutating extends CompiledHead {
  readonly mutations: readonly Mutation[];
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

interface Invocation {
  readonly policy: MutatingAdmissionPolicy;
  readonly binding: MutatingAdmissionPolicyBinding;
  readonly param: KubeObject | undefined;
  readonly matched: MatchedAs;
}

/** All policies for one request, in order; those that wish it see once more what came of all of them. */
class MutationRun {
  readonly #deps: MutatingDeps;
  readonly #matcher: RequestMatcher;
  readonly #cache: CompiledCache<CompiledMutating>;
  readonly #request: AdmissionRequest;
  /** What went wrong under a policy that fails closed. */
  readonly #failures: { readonly message: string; readonly reason: string }[] = [];
  /** Invocations of policies with `reinvocationPolicy: IfNeeded` in the first round. */
  readonly #reinvocable = new Set<string>();
  #hasMutated = false;

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
    for (const each of bound) this.#runPolicy(each, { isReinvoked: false });
    this.#throwFailures();
    // As upstream: whatever mutated makes all that can be invoked again run again, those that mutated included.
    if (!this.#hasMutated || this.#reinvocable.size === 0) return;
    for (const each of bound) this.#runPolicy(each, { isReinvoked: true });
    this.#throwFailures();
  }

  #runPolicy({ policy, bindings }: Bound, { isReinvoked }: { isReinvoked: boolean }): void {
    const request = this.#request;
    if (isReinvoked && policy.spec?.reinvocationPolicy !== 'IfNeeded') return;
    const matched = this.#matcher.match(policy.spec?.matchConstraints ?? {}, request);
    if (matched === undefined) return;
    for (const binding of bindings) {
      const { matchResources, paramRef } = binding.spec ?? {};
      if (matchResources !== undefined && this.#matcher.match(matchResources, request) === undefined) continue;
      const { registry, view } = this.#deps;
      const { namespace } = request.info;
      const params = collectParams(policy.spec?.paramKind, paramRef, { namespace, registry, view });
      if (params.type === 'failed') {
        this.#fail({ policy, binding }, { message: `failed to configure binding: ${params.message}`, reason: '' });
        continue;
      }
      for (const param of params.params) this.#invoke({ policy, binding, param, matched }, isReinvoked);
    }
  }

  #invoke(invocation: Invocation, isReinvoked: boolean): void {
    const { policy } = invocation;
    const compiled = this.#cache.get(policy, () => compile(policy));
    const conditions = checkConditions(compiled.conditions, { ...this.#activation(invocation), namespaceObject: null });
    if (conditions.type === 'differs') return;
    if (conditions.type === 'error') return this.#fail(invocation, { message: conditions.message, reason: 'Invalid' });
    const key = keyOf(invocation);
    if (isReinvoked && !this.#reinvocable.has(key)) return;
    for (const mutation of compiled.mutations) {
      try {
        this.#mutate(invocation, compiled, mutation);
        this.#hasMutated = true;
      } catch (error) {
        if (!(error instanceof CelError || error instanceof MutationError)) throw error;
        const { expression } = mutation.compiled;
        const message =
          error instanceof CelError ? `expression '${expression}' resulted in error: ${error.message}` : error.message;
        this.#fail(invocation, { message, reason: 'Invalid' });
      }
    }
    if (policy.spec?.reinvocationPolicy === 'IfNeeded') this.#reinvocable.add(key);
  }

  #mutate(invocation: Invocation, compiled: CompiledMutating, { type, compiled: mutation }: Mutation): void {
    if ('problem' in mutation) throw new MutationError(mutation.problem);
    const budget = new Budget(COST_BUDGET);
    const base = this.#activation(invocation);
    const variables = new PolicyVariables({ programs: compiled.variables, activation: base, budget });
    const made = budget.evaluate(mutation.program, { ...base, variables });
    const { object } = this.#request;
    if (object === undefined) return;
    const { requested, definition } = invocation.matched;
    const objectType = objectTypeOf(this.#request, definition, this.#deps.schemas);
    if (objectType === undefined) throw new MutationError(`the schema of ${this.#request.kind} is not known`);
    const target = { type: objectType, definition };
    const seen = inVersion(object, requested, definition);
    const mutated = type === 'apply' ? mergeConfiguration(seen, made, target) : patchByOperations(seen, made, target);
    const next = inVersion(mutated, definition, requested);
    if (deepEqual(next, object)) return;
    // The object belongs to the write, which sees what becomes of it.
    for (const field of Object.keys(object)) Reflect.deleteProperty(object, field);
    Object.assign(object, next);
  }

  #activation({ param, matched }: Invocation): Activation {
    const namespace = this.#matcher.namespaceAround(this.#request);
    const base = activationOf(this.#request, { ...matched, namespace, authorizer: this.#deps.authorizer });
    return { ...base, params: param ?? null };
  }

  #fail(
    { policy, binding }: Pick<Invocation, 'policy' | 'binding'>,
    { message, reason }: { message: string; reason: string },
  ): void {
    if (policy.spec?.failurePolicy === 'Ignore') return;
    const place = `policy '${policy.metadata.name}' with binding '${binding.metadata.name}'`;
    this.#failures.push({ message: `${place} denied request: ${message}`, reason });
  }

  /** Refuses with the first failure's words, and with all of them as causes. */
  #throwFailures(): void {
    const [first] = this.#failures;
    if (first === undefined) return;
    const { status } = refuse(this.#request, first.message);
    const causes = this.#failures.map(({ message }) => ({ message }));
    throw new StatusError({
      ...status,
      message: first.message,
      ...(first.reason === '' ? {} : { reason: first.reason }),
      details: { ...status.details, causes },
    });
  }
}

function keyOf({ policy, binding, param }: Invocation): string {
  const { name = '', namespace = '' } = param?.metadata ?? {};
  return JSON.stringify([policy.metadata.name, binding.metadata.name, namespace, name]);
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
