import {
  internalError,
  type Status,
  StatusError,
  serviceUnavailable,
  timeout,
} from '#machinery/errors/status-error.ts';
import { requestEntityTooLarge } from '#machinery/errors/status-error.ts';
import {
  StoreClosedError,
  StoreError,
  StoreFullError,
  StoreTimeoutError,
  StoreUnavailableError,
  ValueTooLargeError,
} from '#store/errors.ts';
import { type ApiResponse, jsonResponse } from './pipeline/types.ts';

/** What a failure of a request answers: API failures as they are, the store's translated, the rest a 500. */
export function toStatusError(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  // Walks over objects of too many parts end so: the request is to blame, not the server.
  if (error instanceof RangeError && /call stack|string length/.test(error.message)) {
    return requestEntityTooLarge('Request entity too large: the object has too many parts');
  }
  if (!(error instanceof StoreError)) return internalError(error);
  if (error instanceof ValueTooLargeError) return requestEntityTooLarge('etcdserver: request is too large');
  if (error instanceof StoreFullError) return internalError(new Error('etcdserver: mvcc: database space exceeded'));
  if (error instanceof StoreTimeoutError) return timeout('request did not complete within the allotted timeout', 0);
  // etcd's own words, as upstream passes them on.
  if (error instanceof StoreUnavailableError && error.message.startsWith('etcdserver:')) {
    return new StatusError({ ...internalError(error).status, message: error.message });
  }
  if (error instanceof StoreUnavailableError || error instanceof StoreClosedError) {
    return serviceUnavailable(`the store is not available: ${error.message}`);
  }
  return internalError(error);
}

/** A failure on the wire: the Status, and `Retry-After` where it says when to come again. */
export function statusResponse(status: Status): ApiResponse {
  const retryAfter = status.details?.retryAfterSeconds;
  const headers = retryAfter === undefined || retryAfter === 0 ? {} : { 'retry-after': String(retryAfter) };
  return jsonResponse(status.code, status, headers);
}
