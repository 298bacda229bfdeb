import type { ApiResponse, RequestContext } from '../../pipeline/types.ts';
import type { TypeName } from '#machinery/codec/protobuf/envelope.ts';
import { encodeBody } from './bodies.ts';
import type { Forms } from './forms.ts';
import { accepted, contentTypeOf, type Encoding } from './negotiate.ts';

/**
 * Encodes an answer that was written as JSON (a Status, a review, a discovery document) as its client wants it. Where
 * there is nothing that both know, it stays JSON: upstream hides no failure behind another one.
 */
export async function renegotiated(
  context: RequestContext,
  response: ApiResponse,
  { forms, encodings }: { forms: Forms; encodings: readonly Encoding[] },
): Promise<ApiResponse> {
  if (response.type !== 'bytes' || response.json === undefined || !isTyped(response.json)) return response;
  const representation = accepted(context.request, { encodings, objectOnly: true });
  if (representation === undefined) return response;
  const { encoding, isPretty } = representation;
  if (encoding === 'json' && !isPretty) return response;
  await forms.load(encoding);
  if (encoding === 'protobuf' && forms.codec.messageOf(response.json) === undefined) return response;
  const headers = { ...response.headers, 'content-type': contentTypeOf(representation) };
  return { ...response, headers, body: encodeBody(forms, response.json, representation) };
}

function isTyped(value: unknown): value is TypeName {
  return typeof value === 'object' && value !== null && 'kind' in value && 'apiVersion' in value;
}
