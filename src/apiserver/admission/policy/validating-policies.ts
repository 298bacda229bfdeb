import { EXPECTED } from '#api/admissionregistration/v1/policy-expressions.ts';
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, Validation } from '#api/generated/types.ts';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import { CelError } from '#machinery/cel/errors.ts';
import { StatusError } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { AdmissionPlugin, AdmissionRequest, Authorizer } from '../../pipeline/types.ts';
import { type AdmissionDeps, refuse } from '../plugin.ts';
import { type Activation, activationOf } from './activation.ts';
import { type Compiled, CompiledCache, type CompiledHead, compileHead } from './compiled-policy.ts';
import { checkConditions } from './conditions.ts';
import { collectParams } from './params.ts';
import { type BoundPolicy, PolicySource } from './policy-source.ts';
import { Budget, PolicyVariables } from './policy-variables.ts';
import { isExempt, type MatchedAs, RequestMatcher } from './request-match.ts';

/** `apis/cel`'s RuntimeCELCostBudget. */
const COST_BUDGET = 10_000_000;
const MESSAGE_BYTES_MAX = 5 * 1024;
/** HTTP status of a refusal, by its reason. */
const CODES: Readonly<Record<string, number>> = {
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
  Invalid: 422,
};

export interface PolicyDeps extends AdmissionDeps {
  readonly registry: ResourceRegistry;
  readonly authorizer: Authorizer;
}

interface CompiledValidation {
  readonly validation: Validation;
  readonly expression: Compiled;
  readonly message: Compiled | undefined;
}

interface CompiledValidating extends CompiledHead {
  readonly validations: readonly CompiledValidation[];
  readonly annotations: readonly { readonly key: string; readonly value: Compiled }[];
}

type Bound = BoundPolicy<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding>;

interface Denial {
  readonly policy: string;
  readonly binding: string | undefined;
  readonly message: string;
  readonly reason: string | undefined;
}

/** ValidatingAdmissionPolicy: refuses, warns or notes what the policies' expressions say (KEP-3488). */
export function validatingAdmissionPolicies(deps: PolicyDeps): AdmissionPlugin {
  const matcher = new RequestMatcher(deps);
  const cache = new CompiledCache<CompiledValidating>();
  let source: PolicySource<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding> | undefined;
  return {
    name: 'ValidatingAdmissionPolicy',
    validate: (request) => {
      source ??= new PolicySource({
        policies: deps.view('admissionregistration.k8s.io', 'validatingadmissionpolicies'),
        bindings: deps.view('admissionregistration.k8s.io', 'validatingadmissionpolicybindings'),
      });
      const bound = source.all();
      if (bound.length === 0 || isExempt(request)) return;
      const denials: Denial[] = [];
      for (const each of bound) denials.push(...new PolicyRun(each, { deps, matcher, cache, request }).denials());
      const [first] = denials;
      if (first !== undefined) throw denialError(request, first);
    },
  };
}

/** One policy with its bindings, for one request. */
class PolicyRun {
  readonly #bound: Bound;
  readonly #deps: PolicyDeps;
  readonly #matcher: RequestMatcher;
  readonly #cache: CompiledCache<CompiledValidating>;
  readonly #request: AdmissionRequest;

  constructor(
    bound: Bound,
    run: {
      deps: PolicyDeps;
      matcher: RequestMatcher;
      cache: CompiledCache<CompiledValidating>;
      request: AdmissionRequest;
    },
  ) {
    this.#bound = bound;
    this.#deps = run.deps;
    this.#matcher = run.matcher;
    this.#cache = run.cache;
    this.#request = run.request;
  }

  denials(): Denial[] {
    const { policy, bindings } = this.#bound;
    const matched = this.#matcher.match(policy.spec?.matchConstraints ?? {}, this.#request);
    if (matched === undefined) return [];
    const denials: Denial[] = [];
    for (const binding of bindings) {
      const { matchResources } = binding.spec ?? {};
      if (matchResources !== undefined && this.#matcher.match(matchResources, this.#request) === undefined) continue;
      denials.push(...this.#checkBinding(binding, matched));
    }
    return denials;
  }

  #checkBinding(binding: ValidatingAdmissionPolicyBinding, matched: MatchedAs): Denial[] {
    const { policy } = this.#bound;
    const { registry, view } = this.#deps;
    const { namespace } = this.#request.info;
    const params = collectParams(policy.spec?.paramKind, binding.spec?.paramRef, { namespace, registry, view });
    if (params.type === 'failed') {
      const isIgnored = policy.spec?.failurePolicy === 'Ignore';
      return isIgnored ? [] : [this.#denial(binding, `failed to configure binding: ${params.message}`)];
    }
    return params.params.flatMap((param) => this.#checkParam(binding, matched, param));
  }

  #checkParam(binding: ValidatingAdmissionPolicyBinding, matched: MatchedAs, param: KubeObject | undefined): Denial[] {
    const { policy } = this.#bound;
    const compiled = this.#cache.get(policy, () => compile(policy));
    const { definition } = matched;
    const namespace = this.#matcher.namespaceOf(this.#request);
    const base = activationOf(this.#request, { definition, namespace, authorizer: this.#deps.authorizer });
    const withParams: Activation = { ...base, params: param ?? null };
    const conditions = checkConditions(compiled.conditions, withParams);
    if (conditions.type === 'differs') return [];
    const isFailClosed = policy.spec?.failurePolicy !== 'Ignore';
    if (conditions.type === 'error') return isFailClosed ? [this.#denial(binding, conditions.message)] : [];
    const budget = new Budget(COST_BUDGET);
    const variables = new PolicyVariables({ programs: compiled.variables, activation: withParams, budget });
    const activation = { ...withParams, variables };
    const denials: Denial[] = [];
    for (const validation of compiled.validations) {
      const outcome = evaluate(validation, activation, budget);
      if (outcome === undefined || (outcome.isError && !isFailClosed)) continue;
      const reason = outcome.isError ? undefined : validation.validation.reason;
      denials.push(...this.#act(binding, this.#denial(binding, outcome.message, reason)));
    }
    this.#annotate(compiled, activation, budget);
    return denials;
  }

  /** Does what the binding wants done with a failed validation; what is left is a refusal. */
  #act(binding: ValidatingAdmissionPolicyBinding, denial: Denial): Denial[] {
    const actions = binding.spec?.validationActions ?? ['Deny'];
    if (actions.includes('Warn')) {
      const place = `ValidatingAdmissionPolicy '${denial.policy}' with binding '${denial.binding}'`;
      this.#request.warnings.push(`Validation failed for ${place}: ${denial.message}`);
    }
    if (actions.includes('Audit')) {
      const failure = {
        message: denial.message,
        policy: denial.policy,
        binding: denial.binding,
        validationActions: actions,
      };
      this.#request.annotations?.set(
        'validation.policy.admission.k8s.io/validation_failure',
        JSON.stringify([failure]),
      );
    }
    return actions.includes('Deny') ? [denial] : [];
  }

  #annotate({ annotations }: CompiledValidating, activation: Activation, budget: Budget): void {
    const policy = this.#bound.policy.metadata.name ?? '';
    for (const { key, value } of annotations) {
      const text = textOf(value, activation, budget);
      if (text !== undefined) this.#request.annotations?.set(`${policy}/${key}`, text);
    }
  }

  #denial(binding: ValidatingAdmissionPolicyBinding, message: string, reason?: string): Denial {
    return { policy: this.#bound.policy.metadata.name ?? '', binding: binding.metadata.name, message, reason };
  }
}

function compile({ spec }: ValidatingAdmissionPolicy): CompiledValidating {
  const head = compileHead(spec);
  return {
    ...head,
    validations: (spec.validations ?? []).map((validation) => ({
      validation,
      expression: head.compile(validation.expression, EXPECTED.condition),
      message:
        validation.messageExpression === undefined || validation.messageExpression === ''
          ? undefined
          : head.compile(validation.messageExpression, EXPECTED.message),
    })),
    annotations: (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      value: head.compile(valueExpression, EXPECTED.annotation),
    })),
  };
}

/** What a validation finds wrong; `undefined`: nothing. */
function evaluate(
  { validation, expression, message }: CompiledValidation,
  activation: Activation,
  budget: Budget,
): { message: string; isError: boolean } | undefined {
  if ('problem' in expression) return { message: expression.problem, isError: true };
  try {
    if (budget.evaluate(expression.program, activation) === true) return undefined;
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    return { message: `expression '${expression.expression}' resulted in error: ${error.message}`, isError: true };
  }
  const made = message === undefined ? undefined : textOf(message, activation, budget)?.trim();
  const isUsable = made !== undefined && made !== '' && !made.includes('\n') && made.length <= MESSAGE_BYTES_MAX;
  if (isUsable) return { message: made, isError: false };
  const given = (validation.message ?? '').trim();
  return { message: given === '' ? `failed expression: ${validation.expression.trim()}` : given, isError: false };
}

/** A text that an expression makes; none where it fails or makes something else. */
function textOf(compiled: Compiled, activation: Activation, budget: Budget): string | undefined {
  if ('problem' in compiled) return undefined;
  try {
    const value = budget.evaluate(compiled.program, activation);
    return typeof value === 'string' ? value : undefined;
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    return undefined;
  }
}

function denialError(request: AdmissionRequest, { policy, binding, message, reason = 'Invalid' }: Denial): StatusError {
  const place = binding === undefined ? '' : ` with binding '${binding}'`;
  const text = `ValidatingAdmissionPolicy '${policy}'${place} denied request: ${message}`;
  const { status } = refuse(request, text);
  const details = { ...status.details, causes: [...(status.details?.causes ?? []), { message: text }] };
  return new StatusError({ ...status, reason, code: CODES[reason] ?? 422, details });
}
