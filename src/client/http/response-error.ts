import { genericStatus, type Status, StatusError } from '#machinery/errors/status-error.ts';

/** Whether a decoded body is the `Status` of the API conventions. */
export function isStatus(value: unknown): value is Status {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    value.kind === 'Status' &&
    'code' in value &&
    typeof value.code === 'number'
  );
}

/** The error of an answer that is not 2xx: the `Status` it carries, or one that says what the code means. */
export function responseError(code: number, body: Uint8Array): StatusError {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString();
  const decoded = parseJson(text);
  if (isStatus(decoded)) return new StatusError(decoded);
  const { reason, message } = MEANINGS[code] ?? unknownMeaning(code, text);
  const shown = text.trim().slice(0, BODY_CHARS_MAX);
  const causes = [{ reason: 'UnexpectedServerResponse', message: shown }];
  return genericStatus(code, reason, message, shown === '' ? undefined : { causes });
}

// Enough of a foreign answer to recognise who gave it.
const BODY_CHARS_MAX = 2048;

/** What the codes mean where the server does not say it itself; the words of upstream's clients. */
const MEANINGS: Readonly<Record<number, { reason: string; message: string }>> = {
  400: { reason: 'BadRequest', message: 'the server rejected our request for an unknown reason' },
  401: { reason: 'Unauthorized', message: 'the server has asked for the client to provide credentials' },
  403: { reason: 'Forbidden', message: 'the server does not allow access to the requested resource' },
  404: { reason: 'NotFound', message: 'the server could not find the requested resource' },
  405: {
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
  },
  406: {
    reason: 'NotAcceptable',
    message: 'the server was unable to respond with a content type that the client supports',
  },
  409: { reason: 'Conflict', message: 'the server reported a conflict' },
  410: { reason: 'Gone', message: 'the requested resource is gone' },
  413: { reason: 'RequestEntityTooLarge', message: 'the request is too large' },
  415: { reason: 'UnsupportedMediaType', message: 'the server does not support the media type of the request' },
  422: { reason: 'Invalid', message: 'the server rejected our request due to an error in our request' },
  429: {
    reason: 'TooManyRequests',
    message: 'the server has received too many requests and has asked us to try again later',
  },
  503: { reason: 'ServiceUnavailable', message: 'the server is currently unable to handle the request' },
  504: {
    reason: 'Timeout',
    message: 'the server was unable to return a response in the time allotted, but may still be processing the request',
  },
};

function unknownMeaning(code: number, text: string): { reason: string; message: string } {
  if (code >= 500) {
    const shown = JSON.stringify(text.trim().slice(0, BODY_CHARS_MAX));
    return {
      reason: 'InternalError',
      message: `an error on the server (${shown}) has prevented the request from succeeding`,
    };
  }
  return {
    reason: '',
    message: `the server responded with the status code ${code} but did not return more information`,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: a proxy's page, or nothing at all.
    return undefined;
  }
}
