import { internalError } from '#machinery/errors/status-error.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../../pipeline/types.ts';
import { isExempt } from '../policy/request-match.ts';
import { ConfiguredWebhooks, type ConfiguredWebhook } from './configured-webhooks.ts';
import { CallError, Rejection } from './failures.ts';
import { type InvocationDeps, Invocations } from './invocation.ts';
import { observed } from './observation.ts';
import type { ReviewSubject } from './review.ts';
import { WebhookCaller, type WebhookCallerDeps } from './webhook-caller.ts';

export interface ValidatingWebhookDeps extends InvocationDeps, WebhookCallerDeps {
  readonly now: () => number;
}

interface Question {
  readonly hook: ConfiguredWebhook;
  readonly subject: ReviewSubject;
}

/** ValidatingAdmissionWebhook: asks all webhooks at once; the first refusal to arrive is the answer. */
export function validatingAdmissionWebhooks(deps: ValidatingWebhookDeps): AdmissionPlugin {
  const invocations = new Invocations(deps);
  const caller = new WebhookCaller(deps);
  let configured: ConfiguredWebhooks | undefined;
  return {
    name: 'ValidatingAdmissionWebhook',
    seesEverything: true,
    validate: (request) => {
      const view = (resource: string) => deps.view('admissionregistration.k8s.io', resource);
      configured ??= new ConfiguredWebhooks(view('validatingwebhookconfigurations'));
      const webhooks = configured.all();
      if (webhooks.length === 0 || isExempt(request)) return;
      return askAll(webhooks, request, { invocations, caller, now: deps.now });
    },
  };
}

async function askAll(
  webhooks: readonly ConfiguredWebhook[],
  request: AdmissionRequest,
  tools: { invocations: Invocations; caller: WebhookCaller; now: () => number },
): Promise<void> {
  const questions: Question[] = [];
  for (const hook of webhooks) {
    const matched = await tools.invocations.match(hook, request, false);
    if (matched === undefined) continue;
    questions.push({ hook, subject: await tools.invocations.subject(matched, request) });
  }
  if (questions.length === 0) return;
  const refusals: unknown[] = [];
  // All of them are asked to the end: each may have warnings and annotations.
  await Promise.all(
    questions.map(async (question, index) => {
      const refusal = await refusalBy(question, index, { request, ...tools });
      if (refusal !== undefined) refusals.push(refusal.error);
    }),
  );
  if (refusals.length > 0) throw refusals[0];
}

async function refusalBy(
  { hook, subject }: Question,
  index: number,
  { request, caller, now }: { request: AdmissionRequest; caller: WebhookCaller; now: () => number },
): Promise<{ error: unknown } | undefined> {
  const { webhook } = hook;
  try {
    await observed(request, { webhook, type: 'validating', now }, () =>
      caller.ask(hook, request, { subject, isMutating: false }),
    );
    return undefined;
  } catch (error) {
    if (error instanceof Rejection) return { error: error.refusal };
    if (!(error instanceof CallError)) return { error };
    if (webhook.failurePolicy !== 'Ignore') return { error: internalError(error) };
    const key = `failed-open.validating.webhook.admission.k8s.io/round_0_index_${index}`;
    request.annotations?.set(key, webhook.name);
    return undefined;
  }
}
