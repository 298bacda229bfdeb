import type { MutatingWebhook } from '#api/generated/types.ts';
import { deepCopy, deepEqual } from '#machinery/codec/deep.ts';
import { internalError } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../../pipeline/types.ts';
import type { MatchedAs } from '../policy/request-match.ts';
import { isExempt } from '../policy/request-match.ts';
import { ConfiguredWebhooks, type ConfiguredWebhook } from './configured-webhooks.ts';
import { CallError, Rejection } from './failures.ts';
import { type InvocationDeps, Invocations } from './invocation.ts';
import { observed } from './observation.ts';
import { patchedObject } from './patched-object.ts';
import { WebhookCaller, type WebhookCallerDeps } from './webhook-caller.ts';

export interface MutatingWebhookDeps extends InvocationDeps, WebhookCallerDeps {
  readonly schemas: SchemaSet;
  /** The mutating plugins before this one: they run again where a webhook has changed something. */
  readonly earlier: readonly AdmissionPlugin[];
  readonly now: () => number;
}

/** MutatingAdmissionWebhook: asks webhooks one after the other, each about what the ones before left. */
export function mutatingAdmissionWebhooks(deps: MutatingWebhookDeps): AdmissionPlugin {
  const invocations = new Invocations(deps);
  const caller = new WebhookCaller(deps);
  let configured: ConfiguredWebhooks | undefined;
  return {
    name: 'MutatingAdmissionWebhook',
    seesEverything: true,
    mutate: (request) => {
      configured ??= new ConfiguredWebhooks(deps.view('admissionregistration.k8s.io', 'mutatingwebhookconfigurations'));
      const webhooks = configured.all();
      if (webhooks.length === 0 || isExempt(request)) return;
      return new MutatingRun({ deps, invocations, caller, request }).run(webhooks);
    },
  };
}

/** All mutating webhooks for one request. */
class MutatingRun {
  readonly #deps: MutatingWebhookDeps;
  readonly #invocations: Invocations;
  readonly #caller: WebhookCaller;
  readonly #request: AdmissionRequest;
  /** Webhooks that wish to see later changes and have run since the last one. */
  readonly #eligible = new Set<string>();
  /** Webhooks that are to run again. */
  readonly #again = new Set<string>();

  constructor(init: {
    deps: MutatingWebhookDeps;
    invocations: Invocations;
    caller: WebhookCaller;
    request: AdmissionRequest;
  }) {
    this.#deps = init.deps;
    this.#invocations = init.invocations;
    this.#caller = init.caller;
    this.#request = init.request;
  }

  /** Rounds as in KEP-1063: after a change all plugins run once more, and the webhooks that wish it. */
  async run(webhooks: readonly ConfiguredWebhook[]): Promise<void> {
    if (!(await this.#runRound(webhooks, 0))) return;
    const left = deepCopy(this.#request.object);
    for (const plugin of this.#deps.earlier) {
      const { operation } = this.#request;
      if (operation !== 'CREATE' && operation !== 'UPDATE' && plugin.seesEverything !== true) continue;
      await plugin.mutate?.(this.#request);
    }
    if (!deepEqual(left, this.#request.object)) this.#requireAgain();
    if (this.#again.size > 0) await this.#runRound(webhooks, 1);
  }

  async #runRound(webhooks: readonly ConfiguredWebhook[], round: number): Promise<boolean> {
    let hasChanged = false;
    for (const [index, hook] of webhooks.entries()) {
      const matched = await this.#invocations.match(hook, this.#request, true);
      if (matched === undefined || (round > 0 && !this.#again.has(hook.id))) continue;
      if (await this.#invoke(hook, matched, `round_${round}_index_${index}`)) {
        hasChanged = true;
        this.#requireAgain();
      }
      // Safe: the view holds configurations of mutating webhooks.
      if ((hook.webhook as MutatingWebhook).reinvocationPolicy === 'IfNeeded') this.#eligible.add(hook.id);
    }
    return hasChanged;
  }

  #requireAgain(): void {
    for (const id of this.#eligible) this.#again.add(id);
    this.#eligible.clear();
  }

  /** Asks one webhook; whether it has changed the object. */
  async #invoke(hook: ConfiguredWebhook, matched: MatchedAs, place: string): Promise<boolean> {
    const { webhook, configuration } = hook;
    let mutated = false;
    try {
      mutated = await observed(this.#request, { webhook, type: 'admit', now: this.#deps.now }, () =>
        this.#change(hook, matched),
      );
      return mutated;
    } catch (error) {
      if (error instanceof Rejection) throw error.refusal;
      if (!(error instanceof CallError)) throw error;
      if (webhook.failurePolicy !== 'Ignore') throw internalError(error);
      this.#request.annotations?.set(`failed-open.${PREFIX}/${place}`, webhook.name);
      return false;
    } finally {
      const note = { configuration, webhook: webhook.name, mutated };
      this.#request.annotations?.set(`${PREFIX}/${place}`, JSON.stringify(note));
    }
  }

  async #change(hook: ConfiguredWebhook, matched: MatchedAs): Promise<boolean> {
    const subject = await this.#invocations.subject(matched, this.#request);
    const answer = await this.#caller.ask(hook, this.#request, { subject, isMutating: true });
    const { definition, requested } = matched;
    const { schemas } = this.#deps;
    const next = patchedObject(subject.object, answer, { webhook: hook.webhook.name, definition, schemas });
    if (next === undefined || deepEqual(next, subject.object)) return false;
    this.#replace(await this.#invocations.convert(next, { from: definition, to: requested }));
    return true;
  }

  // The object belongs to the write, which sees what becomes of it.
  #replace(next: KubeObject): void {
    const { object } = this.#request;
    if (object === undefined) return;
    for (const field of Object.keys(object)) Reflect.deleteProperty(object, field);
    Object.assign(object, next);
  }
}

const PREFIX = 'mutation.webhook.admission.k8s.io';
