import { notAcceptable } from '#machinery/errors/status-error.ts';
import type { ApiResponse, RequestContext } from '../../pipeline/types.ts';
import { encodeBody } from './bodies.ts';
import type { Forms } from './forms.ts';
import { accepted, contentTypeOf, MEDIA_TYPES } from './negotiate.ts';

/**
 * Encodes an answer that was written as JSON (a Status, a review, a discovery document) as its client wants it. Where
 * there is nothing that both know, that is a 406; but a failure stays JSON and is not hidden behind another one.
 */
export async function renegotiated(context: RequestContext, response: ApiResponse, forms: Forms): Promise<ApiResponse> {
  if (response.type !== 'bytes') return response;
  const value = typedValue(response.json);
  if (value === undefined) return response;
  const { encodings } = forms;
  const representation = accepted(context.request, { encodings, objectOnly: true });
  if (representation === undefined) {
    if (response.status < 400) throw notAcceptable(encodings.map((encoding) => MEDIA_TYPES[encoding]));
    return response;
  }
  const { encoding, isPretty } = representation;
  if (encoding === 'json' && !isPretty) return response;
  await forms.load(encoding);
  const headers = { ...response.headers, 'content-type': contentTypeOf(representation) };
  if (encoding !== 'protobuf') return { ...response, headers, body: encodeBody(forms, value, representation) };
  // The oldest discovery documents name no version.
  const object = { apiVersion: '', ...value };
  if (forms.codec.messageOf(object) === undefined) return response;
  return { ...response, headers, body: encodeBody(forms, object, representation) };
}

function typedValue(value: unknown): { kind: string } | undefined {
  const isTyped = typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string';
  // Safe: what was asked above.
  return isTyped ? (value as { kind: string }) : undefined;
}
