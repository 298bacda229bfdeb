import { decodeMessage, openEnvelope, ProtobufError, type ProtobufTable } from '#machinery/codec/protobuf.ts';
import { badRequest } from '#machinery/errors/status-error.ts';
import type { ApiRequest, Stage } from '../types.ts';

const MEDIA_TYPE = 'application/vnd.kubernetes.protobuf';

/** Where protobuf bodies are read from: the table is large, so it is loaded at the first such body. */
export interface ProtobufSource {
  readonly table: () => Promise<ProtobufTable>;
  /** The message of a kind, such as `k8s.io.api.core.v1.Pod`. */
  readonly messageOf: (apiVersion: string, kind: string) => string | undefined;
}

/**
 * Turns a protobuf body into JSON before anything else looks at it: client-go's typed clients write protobuf, and what
 * follows then needs to know one form only. Answers stay JSON, which those clients accept as well.
 */
export function protobufBody(source: ProtobufSource): Stage {
  return async (context, next) => {
    const { request } = context;
    const contentType = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
    if (contentType !== MEDIA_TYPE || context.info.verb === 'patch') return next();
    // Named one by one: a transport's request is no plain object that could be spread.
    const { method, path, query, signal, remoteAddress, clientCertificate, localUser, cause } = request;
    const translated: ApiRequest = {
      method,
      path,
      query,
      signal,
      ...(remoteAddress === undefined ? {} : { remoteAddress }),
      ...(clientCertificate === undefined ? {} : { clientCertificate }),
      ...(localUser === undefined ? {} : { localUser }),
      ...(cause === undefined ? {} : { cause }),
      headers: { ...request.headers, 'content-type': 'application/json' },
      readBody: async (limitBytes) => {
        const body = await request.readBody(limitBytes);
        return body.length === 0 ? body : translate(body, source);
      },
    };
    context.request = translated;
    return next();
  };
}

async function translate(body: Uint8Array, source: ProtobufSource): Promise<Uint8Array> {
  try {
    const { apiVersion, kind, raw } = openEnvelope(body);
    const message = source.messageOf(apiVersion, kind);
    if (message === undefined) throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}"`);
    const fields = decodeMessage(raw, { message, table: await source.table() });
    return Buffer.from(JSON.stringify({ kind, apiVersion, ...fields }));
  } catch (error) {
    if (error instanceof ProtobufError) throw badRequest(error.message);
    throw error;
  }
}
