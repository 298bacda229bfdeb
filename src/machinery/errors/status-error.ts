/** One field's problem inside a `Status` (`details.causes[]`). */
export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** The `Status` object of the API conventions: what every failed request answers with. */
export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: { continue?: string; resourceVersion?: string };
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code: number;
}

/** Names the resource a failure is about; `resource` is the plural name. */
export interface ResourceName {
  group: string;
  resource: string;
  name: string;
}

/** An API failure. The transport turns it into the exact `Status` that Kubernetes sends. */
export class StatusError extends Error {
  readonly status: Status;

  constructor(status: Status, options?: ErrorOptions) {
    super(status.message ?? status.reason ?? `status ${status.code}`, options);
    this.name = 'StatusError';
    this.status = status;
  }

  /** HTTP status code. */
  get code(): number {
    return this.status.code;
  }

  /** Machine-readable reason, such as `NotFound`. */
  get reason(): string {
    return this.status.reason ?? '';
  }
}

function failure(code: number, reason: string, message: string, details?: StatusDetails): StatusError {
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details === undefined ? {} : { details }),
    code,
  });
}

/** `pods`, or `deployments.apps`: how messages name a resource. */
export function qualifiedResource(target: { group: string; resource: string }): string {
  return target.group === '' ? target.resource : `${target.resource}.${target.group}`;
}

// `details.kind` carries the resource's plural name in these, as upstream's helpers do.
function detailsOf({ group, resource, name }: ResourceName): StatusDetails {
  return { ...(name === '' ? {} : { name }), ...(group === '' ? {} : { group }), kind: resource };
}

export function notFound(target: ResourceName): StatusError {
  return failure(404, 'NotFound', `${qualifiedResource(target)} "${target.name}" not found`, detailsOf(target));
}

export function alreadyExists(target: ResourceName): StatusError {
  return failure(
    409,
    'AlreadyExists',
    `${qualifiedResource(target)} "${target.name}" already exists`,
    detailsOf(target),
  );
}

export function conflict(target: ResourceName, detail: string): StatusError {
  return failure(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualifiedResource(target)} "${target.name}": ${detail}`,
    detailsOf(target),
  );
}

/** The detail of an update that lost the race for an object. */
export const OPTIMISTIC_LOCK_DETAIL =
  'the object has been modified; please apply your changes to the latest version and try again';

export function unauthorized(message = 'Unauthorized'): StatusError {
  return failure(401, 'Unauthorized', message);
}

export function forbidden(target: ResourceName, detail: string): StatusError {
  const name = target.name === '' ? '' : ` "${target.name}"`;
  const subject = target.resource === '' ? 'forbidden' : `${qualifiedResource(target)}${name} is forbidden`;
  return failure(403, 'Forbidden', `${subject}: ${detail}`, detailsOf(target));
}

export function badRequest(message: string): StatusError {
  return failure(400, 'BadRequest', message);
}

/** A validation failure; `target.kind` is the object's kind here, not the resource. */
export function invalid(
  target: { group: string; kind: string; name: string },
  causes: { reason: string; message: string; field: string; text: string }[],
): StatusError {
  const texts = causes.map((cause) => cause.text);
  const summary = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const qualifiedKind = target.group === '' ? target.kind : `${target.kind}.${target.group}`;
  return failure(422, 'Invalid', `${qualifiedKind} "${target.name}" is invalid: ${summary}`, {
    ...(target.name === '' ? {} : { name: target.name }),
    ...(target.group === '' ? {} : { group: target.group }),
    kind: target.kind,
    causes: causes.map(({ reason, message, field }) => ({ reason, message, field })),
  });
}

export function methodNotSupported(target: { group: string; resource: string }, action: string): StatusError {
  return failure(
    405,
    'MethodNotAllowed',
    `${action} is not supported on resources of kind "${qualifiedResource(target)}"`,
    detailsOf({ ...target, name: '' }),
  );
}

export function notAcceptable(mediaTypes: readonly string[]): StatusError {
  const message = `only the following media types are accepted: ${mediaTypes.join(', ')}`;
  return failure(406, 'NotAcceptable', message);
}

export function unsupportedMediaType(mediaTypes: readonly string[]): StatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${mediaTypes.join(', ')}`;
  return failure(415, 'UnsupportedMediaType', message);
}

export function requestEntityTooLarge(message: string): StatusError {
  return failure(413, 'RequestEntityTooLarge', message);
}

/** 410 with reason Expired: the revision asked for is no longer kept. */
export function resourceExpired(message: string): StatusError {
  return failure(410, 'Expired', message);
}

/** 410 with reason Gone. */
export function gone(message: string): StatusError {
  return failure(410, 'Gone', message);
}

export function tooManyRequests(message: string, retryAfterSeconds: number): StatusError {
  return failure(429, 'TooManyRequests', message, { retryAfterSeconds });
}

export function timeout(message: string, retryAfterSeconds = 1): StatusError {
  return failure(504, 'Timeout', `Timeout: ${message}`, { retryAfterSeconds });
}

export function serviceUnavailable(message: string): StatusError {
  return failure(503, 'ServiceUnavailable', message);
}

export function internalError(cause: unknown): StatusError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const error = failure(500, 'InternalError', `Internal error occurred: ${text}`, { causes: [{ message: text }] });
  error.cause = cause;
  return error;
}

/** For a code without a constructor of its own, and for answers of a remote server that are no `Status`. */
export function genericStatus(code: number, reason: string, message: string, details?: StatusDetails): StatusError {
  return failure(code, reason, message, details);
}

function hasReason(error: unknown, reason: string): boolean {
  return error instanceof StatusError && error.status.reason === reason;
}

export const isNotFound = (error: unknown): boolean => hasReason(error, 'NotFound');
export const isAlreadyExists = (error: unknown): boolean => hasReason(error, 'AlreadyExists');
export const isConflict = (error: unknown): boolean => hasReason(error, 'Conflict');
export const isForbidden = (error: unknown): boolean => hasReason(error, 'Forbidden');
export const isInvalid = (error: unknown): boolean => hasReason(error, 'Invalid');
export const isTooManyRequests = (error: unknown): boolean => hasReason(error, 'TooManyRequests');
/** A watch or list must start anew: 410 with either of its two reasons. */
export const isExpired = (error: unknown): boolean => hasReason(error, 'Expired') || hasReason(error, 'Gone');
