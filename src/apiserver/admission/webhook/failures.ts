import { isObject, type JsonObject } from '#api/apiextensions/structural/json-schema.ts';
import { badRequest, type Status, type StatusDetails, StatusError } from '#machinery/errors/status-error.ts';

/** HTTP writers know no status above this. */
const CODE_MAX = 999;

/** A webhook could not be asked, or gave no answer that counts: its failure policy decides. */
export class CallError extends Error {
  override readonly name = 'CallError';
  /** What the metrics count it as. */
  readonly status: number;

  constructor(webhook: string, reason: string, options: ErrorOptions & { readonly status?: number } = {}) {
    super(`failed calling webhook ${JSON.stringify(webhook)}: ${reason}`, options);
    this.status = options.status ?? 503;
  }
}

/** A webhook said no: that holds whatever its failure policy is. */
export class Rejection extends Error {
  override readonly name = 'Rejection';
  readonly refusal: StatusError;

  constructor(refusal: StatusError) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** The refusal that a webhook's `result` stands for: never a success, and always with the webhook's name. */
export function refusalOf(webhook: string, result: Readonly<Record<string, unknown>>): StatusError {
  const { code: given, message: said, reason, details } = result;
  const code = typeof given === 'number' && given >= 400 ? Math.min(Math.trunc(given), CODE_MAX) : 400;
  const denied = `admission webhook ${JSON.stringify(webhook)} denied the request`;
  const explanation = [said, reason].filter((text) => typeof text === 'string').find((text) => text !== '');
  const status: Status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: explanation === undefined ? `${denied} without explanation` : `${denied}: ${explanation}`,
    ...(typeof reason === 'string' && reason !== '' && { reason }),
    ...(isObject(details) && { details: detailsOf(details) }),
    code,
  };
  return new StatusError(status);
}

/** The details that a Status has; whatever else a webhook says there is nothing that clients know. */
function detailsOf({ causes, retryAfterSeconds, ...names }: JsonObject): StatusDetails {
  return {
    ...textsOf(names, ['name', 'group', 'kind', 'uid']),
    ...(Array.isArray(causes) && {
      causes: causes.filter(isObject).map((cause) => textsOf(cause, ['reason', 'message', 'field'])),
    }),
    ...(typeof retryAfterSeconds === 'number' && { retryAfterSeconds: Math.trunc(retryAfterSeconds) }),
  };
}

function textsOf<K extends string>(fields: JsonObject, names: readonly K[]): Partial<Record<K, string>> {
  const texts: Partial<Record<K, string>> = {};
  for (const name of names) {
    const value = fields[name];
    if (typeof value === 'string' && value !== '') texts[name] = value;
  }
  return texts;
}

export function dryRunUnsupported(webhook: string): StatusError {
  return badRequest(`admission webhook ${JSON.stringify(webhook)} does not support dry run`);
}
