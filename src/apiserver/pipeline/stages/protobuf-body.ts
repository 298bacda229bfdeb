import { encodeJson } from '#machinery/codec/json.ts';
import { ProtobufError } from '#machinery/codec/protobuf/errors.ts';
import { badRequest } from '#machinery/errors/status-error.ts';
import type { ProtobufForms } from '../../protobuf-forms.ts';
import type { ApiRequest, Stage } from '../types.ts';

const MEDIA_TYPE = 'application/vnd.kubernetes.protobuf';

/**
 * Turns a protobuf body into JSON before anything else looks at it: client-go's typed clients write protobuf, and what
 * follows then needs to know one form only. Answers stay JSON, which those clients accept as well.
 */
export function protobufBody(forms: ProtobufForms): Stage {
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
        return body.length === 0 ? body : translate(body, forms);
      },
    };
    context.request = translated;
    return next();
  };
}

async function translate(body: Uint8Array, forms: ProtobufForms): Promise<Uint8Array> {
  const codec = await forms.codec();
  try {
    return encodeJson(codec.decodeObject(body));
  } catch (error) {
    if (error instanceof ProtobufError) throw badRequest(error.message);
    throw error;
  }
}
