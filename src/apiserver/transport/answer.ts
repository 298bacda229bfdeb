import { internalError, StatusError } from '#machinery/errors/status-error.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { jsonResponse, type ApiRequest, type ApiResponse } from '../pipeline/types.ts';
import type { NodeRequest } from './node-request.ts';
import { writeBytes, writeStream, writeWatch, type ResponseSink, type WriteOptions } from './write-response.ts';

/** What the transport serves: an `ApiServer`, or anything that answers. */
export interface RequestHandler {
  handle(request: ApiRequest): Promise<ApiResponse>;
}

export interface AnswerDeps {
  readonly server: RequestHandler;
  readonly log: Logger;
  readonly options: Omit<WriteOptions, 'isHead' | 'signal'>;
}

/** The whole life of one request behind its parsing: handle, then write. Never rejects. */
export async function answer(request: NodeRequest, sink: ResponseSink, deps: AnswerDeps): Promise<void> {
  try {
    const response = await handle(request, deps);
    if (sink.writable.destroyed) {
      discard(response);
      return;
    }
    await write(response, request, sink, deps);
  } catch (error) {
    deps.log.debug('answer was not written', { path: request.path, error: String(error) });
    sink.writable.destroy();
    request.upgrade?.socket.destroy();
  }
}

async function handle(request: NodeRequest, deps: AnswerDeps): Promise<ApiResponse> {
  try {
    return inUtf8(await deps.server.handle(request));
  } catch (error) {
    return errorResponse(error, deps.log);
  }
}

/** Node writes a header's characters as bytes; warnings name fields in any script, which Go writes as UTF-8. */
function inUtf8(response: ApiResponse): ApiResponse {
  if (response.type === 'upgrade') return response;
  const warning = response.headers['warning'];
  if (warning === undefined || /^[\x20-\x7e]*$/.test(warning)) return response;
  return { ...response, headers: { ...response.headers, warning: Buffer.from(warning).toString('latin1') } };
}

/** The wire form of a failure that the pipeline let through. */
export function errorResponse(error: unknown, log: Logger): ApiResponse {
  if (error instanceof StatusError) return jsonResponse(error.code, error.status);
  log.error('request failed', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  return jsonResponse(500, internalError(error).status);
}

function write(
  response: ApiResponse,
  request: NodeRequest,
  sink: ResponseSink,
  deps: AnswerDeps,
): Promise<void> | undefined {
  const isHead = request.method === 'HEAD';
  switch (response.type) {
    case 'bytes':
      return writeBytes(response, sink, { isHead });
    case 'watch':
      return writeWatch(response, sink, { ...deps.options, isHead, signal: request.signal });
    case 'stream':
      return writeStream(response, sink, { ...deps.options, isHead, signal: request.signal });
    case 'upgrade':
      if (request.upgrade !== undefined) return response.accept();
      throw new Error('an upgrade was answered to a request that did not ask for one');
    default:
      return unreachable(response);
  }
}

function discard(response: ApiResponse): void {
  if (response.type === 'watch') response.watch.close();
  if (response.type === 'stream')
    void response.body[Symbol.asyncIterator]()
      .return?.()
      .catch(() => undefined);
}

function unreachable(value: never): never {
  throw new Error(`unexpected response ${JSON.stringify(value)}`);
}
