import { EXPECTED } from '#api/admissionregistration/v1/policy-expressions.ts';
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, Validation } from '#api/generated/types.ts';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import { CelError } from '#machinery/cel/errors.ts';
import { StatusError } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { AdmissionPlugin, AdmissionRequest, Authorizer } from '../../pipeline/types.ts';
import { type AdmissionDeps, refuse } from '../plugin.ts';
import { type Activation, activationOf } from './activation.ts';
import { AuditNotes, noteFailures, type ValidationFailure } from './audit.ts';
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
      const failures: ValidationFailure[] = [];
      for (const each of bound) {
        denials.push(...new PolicyRun(each, { deps, matcher, cache, request, failures }).denials());
      }
      noteFailures(request, failures);
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
  readonly #failures: ValidationFailure[];
  readonly #notes = new AuditNotes();

  constructor(
    bound: Bound,
    run: {
      deps: PolicyDeps;
      matcher: RequestMatcher;
      cache: CompiledCache<CompiledValidating>;
      request: AdmissionRequest;
      /** Failed validations that a binding wants in the audit log are appended here. */
      failures: ValidationFailure[];
    },
  ) {
    this.#bound = bound;
    this.#deps = run.deps;
    this.#matcher = run.matcher;
    this.#cache = run.cache;
    this.#request = run.request;
    this.#failures = run.failures;
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
    this.#notes.publish(policy.metadata.name ?? '', this.#request);
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
    const namespace = this.#matcher.namespaceAround(this.#request);
    const base = activationOf(this.#request, { ...matched, namespace, authorizer: this.#deps.authorizer });
    const withParams: Activation = { ...base, params: param ?? null };
    const conditions = checkConditions(compiled.conditions, { ...withParams, namespaceObject: null });
    if (conditions.type === 'differs') return [];
    const isFailClosed = policy.spec?.failurePolicy !== 'Ignore';
    if (conditions.type === 'error') {
      return isFailClosed ? this.#act(binding, this.#denial(binding, conditions.message), 0) : [];
    }
    const budget = new Budget(COST_BUDGET);
    const variables = new PolicyVariables({ programs: compiled.variables, activation: withParams, budget });
    const activation = { ...withParams, variables };
    const denials: Denial[] = [];
    for (const [index, validation] of compiled.validations.entries()) {
      const outcome = evaluate(validation, activation, budget);
      if (outcome === undefined || (outcome.isError && !isFailClosed)) continue;
      const reason = outcome.isError ? undefined : validation.validation.reason;
      denials.push(...this.#act(binding, this.#denial(binding, outcome.message, reason), index));
    }
    for (const problem of this.#annotate(compiled, activation)) {
      if (isFailClosed) denials.push(this.#denial(binding, problem));
    }
    return denials;
  }

  /** Does what the binding wants done with a failed validation; what is left is a refusal. */
  #act(binding: ValidatingAdmissionPolicyBinding, denial: Denial, expressionIndex: number): Denial[] {
    const actions = binding.spec?.validationActions ?? ['Deny'];
    const { policy, message } = denial;
    const name = binding.metadata.name ?? '';
    if (actions.includes('Warn')) {
      const place = `ValidatingAdmissionPolicy '${policy}' with binding '${name}'`;
      this.#request.warnings.push(`Validation failed for ${place}: ${message}`);
    }
    if (actions.includes('Audit')) {
      this.#failures.push({ message, policy, binding: name, expressionIndex, validationActions: actions });
    }
    return actions.includes('Deny') ? [denial] : [];
  }

  /** Notes what the annotations say, within a budget of their own; returns what is wrong with them. */
  #annotate({ annotations }: CompiledValidating, activation: Activation): string[] {
    const budget = new Budget(COST_BUDGET);
    const problems: string[] = [];
    for (const { key, value } of annotations) {
      const outcome = evaluateText(value, activation, budget);
      if ('problem' in outcome) problems.push(outcome.problem);
      else if (outcome.text !== undefined && outcome.text !== '') this.#notes.add(key, outcome.text);
    }
    return problems;
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
  const made = message === undefined ? undefined : textOf(message, activation, budget);
  const isUsable = made !== undefined && made !== '' && !made.includes('\n') && made.length <= MESSAGE_BYTES_MAX;
  if (isUsable) return { message: made, isError: false };
  const given = (validation.message ?? '').trim();
  return { message: given === '' ? `failed expression: ${validation.expression.trim()}` : given, isError: false };
}

/** A text that an expression makes; none where it fails or makes something else. */
function textOf(compiled: Compiled, activation: Activation, budget: Budget): string | undefined {
  const outcome = evaluateText(compiled, activation, budget);
  return 'problem' in outcome ? undefined : outcome.text;
}

/** A trimmed text that an expression makes, none where it makes something else, or why it makes nothing. */
function evaluateText(
  compiled: Compiled,
  activation: Activation,
  budget: Budget,
): { readonly text: string | undefined } | { readonly problem: string } {
  if ('problem' in compiled) return { problem: compiled.problem };
  try {
    const value = budget.evaluate(compiled.program, activation);
    return { text: typeof value === 'string' ? value.trim() : undefined };
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    return { problem: `expression '${compiled.expression}' resulted in error: ${error.message}` };
  }
}

function denialError(request: AdmissionRequest, { policy, binding, message, reason = 'Invalid' }: Denial): StatusError {
  const place = binding === undefined ? '' : ` with binding '${binding}'`;
  const text = `ValidatingAdmissionPolicy '${policy}'${place} denied request: ${message}`;
  const { status } = refuse(request, text);
  const details = { ...status.details, causes: [...(status.details?.causes ?? []), { message: text }] };
  return new StatusError({ ...status, reason, code: CODES[reason] ?? 422, details });
}
