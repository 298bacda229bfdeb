import { isQualifiedName } from '#machinery/validation/names.ts';
import type { AdmissionRequest } from '../../pipeline/types.ts';
import { WebhookError, type WebhookClient, type WebhookTarget } from '../../webhook/webhook-client.ts';
import type { ConfiguredWebhook } from './configured-webhooks.ts';
import { CallError, dryRunUnsupported, refusalOf, Rejection } from './failures.ts';
import { type ReviewAnswer, reviewOf, type ReviewSubject, type ReviewVersion, verifiedAnswer } from './review.ts';

const DEFAULT_TIMEOUT_SECONDS = 10;
const HARMLESS: ReadonlySet<string> = new Set(['None', 'NoneOnDryRun']);

export interface WebhookCallerDeps {
  readonly webhooks: WebhookClient;
  readonly uuid: () => string;
}

/** Asks one webhook about one request. */
export class WebhookCaller {
  readonly #deps: WebhookCallerDeps;

  constructor(deps: WebhookCallerDeps) {
    this.#deps = deps;
  }

  /**
   * The answer of a webhook that allows the request; its warnings and audit annotations are with the request already.
   * Rejects with a `CallError`, a `Rejection`, or a `StatusError` where it cannot be asked at all.
   */
  async ask(
    { webhook }: ConfiguredWebhook,
    request: AdmissionRequest,
    { subject, isMutating }: { subject: ReviewSubject; isMutating: boolean },
  ): Promise<ReviewAnswer> {
    const { name, sideEffects, timeoutSeconds = DEFAULT_TIMEOUT_SECONDS } = webhook;
    if (request.dryRun && !HARMLESS.has(sideEffects)) throw dryRunUnsupported(name);
    const version = webhook.admissionReviewVersions.find((each): each is ReviewVersion => KNOWN.has(each));
    if (version === undefined) {
      const reason =
        'could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)';
      throw new CallError(name, reason, { status: 400 });
    }
    const uid = this.#deps.uuid();
    const target = targetOf(webhook.clientConfig);
    let raw: unknown;
    try {
      raw = await this.#deps.webhooks.post(target, reviewOf(request, subject, { uid, version }), {
        timeoutMs: timeoutSeconds * 1000,
      });
    } catch (error) {
      if (!(error instanceof WebhookError)) throw error;
      throw new CallError(name, `failed to call webhook: ${error.message}`, { cause: error });
    }
    let answer: ReviewAnswer;
    try {
      answer = verifiedAnswer(raw, { uid, version, isMutating });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new CallError(name, `received invalid webhook response: ${reason}`, { cause: error });
    }
    tell(request, name, answer);
    if (!answer.isAllowed) throw new Rejection(refusalOf(name, answer.result));
    return answer;
  }
}

const KNOWN: ReadonlySet<string> = new Set(['v1', 'v1beta1']);

function targetOf({ url, service, caBundle }: ConfiguredWebhook['webhook']['clientConfig']): WebhookTarget {
  return {
    ...(url !== undefined && { url }),
    ...(service !== undefined && { service }),
    ...(caBundle !== undefined && { caBundle }),
  };
}

function tell({ warnings, annotations }: AdmissionRequest, name: string, answer: ReviewAnswer): void {
  for (const warning of answer.warnings) if (warning !== '' && !warnings.includes(warning)) warnings.push(warning);
  for (const [key, value] of Object.entries(answer.auditAnnotations)) {
    const full = `${name}/${key}`;
    if (typeof value !== 'string' || isQualifiedName(full).length > 0 || annotations?.has(full) === true) continue;
    annotations?.set(full, value);
  }
}
