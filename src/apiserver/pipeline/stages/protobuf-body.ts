import type { ResourceRegistry } from '#api/registry/registry.ts';
import { decodeCbor } from '#machinery/codec/cbor-decode.ts';
import { CborError } from '#machinery/codec/cbor-errors.ts';
import { encodeJson } from '#machinery/codec/json.ts';
import { readEnvelope, type TypeName } from '#machinery/codec/protobuf/envelope.ts';
import { ProtobufError } from '#machinery/codec/protobuf/errors.ts';
import { badRequest } from '#machinery/errors/status-error.ts';
import { MEDIA_TYPES } from '../../endpoints/representation/negotiate.ts';
import { unrecognized } from '../../endpoints/write/body.ts';
import type { ProtobufForms } from '../../protobuf-forms.ts';
import type { ApiRequest, RequestContext, RequestInfo, Stage } from '../types.ts';

export interface BinaryBodyOptions {
  /** Absent: protobuf is refused with 415. */
  readonly protobuf: ProtobufForms | undefined;
  readonly servesCbor: boolean;
  readonly registry: ResourceRegistry;
}

/** Turns bytes into a JSON value; `into` is what the request is to hold. */
type Translate = (body: Uint8Array, into: Target) => unknown;

/** The kind that a request's body is to be. */
type Target = TypeName;

interface Translation {
  /** How what follows is to read it: JSON is YAML, too. */
  readonly contentType: string;
  readonly translate: Translate;
}

/**
 * Turns a protobuf or CBOR body into JSON before anything else looks at it: what follows then needs to know one form
 * only. client-go's typed clients write protobuf.
 */
export function binaryBody(options: BinaryBodyOptions): Stage {
  return async (context, next) => {
    const translation = await translationOf(context, options);
    if (translation !== undefined) {
      context.request = translated(context.request, translation, targetOf(context.info, options.registry));
    }
    return next();
  };
}

async function translationOf(
  { request, info }: RequestContext,
  { protobuf, servesCbor, registry }: BinaryBodyOptions,
): Promise<Translation | undefined> {
  const header = request.headers['content-type'];
  if (header === undefined || header === 'application/json') return undefined;
  const mediaType = header.split(';')[0]?.trim().toLowerCase() ?? '';
  if (servesCbor && mediaType === MEDIA_TYPES.cbor) return { contentType: 'application/json', translate: fromCbor };
  if (servesCbor && mediaType === 'application/apply-patch+cbor') {
    return { contentType: 'application/apply-patch+yaml', translate: fromCbor };
  }
  if (mediaType !== MEDIA_TYPES.protobuf || protobuf === undefined || info.verb === 'patch') return undefined;
  // Custom resources are never protobuf, except for what is said with their deletion.
  const isCustom = registry.byResource(info.group, info.version, info.resource)?.isCustom === true;
  if (isCustom && !info.verb.startsWith('delete')) return undefined;
  const codec = await protobuf.codec();
  return {
    contentType: 'application/json',
    translate: (body, into) => {
      let given: TypeName | undefined;
      try {
        given = readEnvelope(body);
        return codec.decodeObject(body, into);
      } catch (error) {
        if (!(error instanceof ProtobufError)) throw error;
        throw given === undefined
          ? unrecognized(body, { mustBe: into.kind, problem: error.message })
          : unusable(given, into, error.message);
      }
    },
  };
}

function translated(request: ApiRequest, { contentType, translate }: Translation, into: Target): ApiRequest {
  // Named one by one: a transport's request is no plain object that could be spread.
  const { method, path, query, signal, remoteAddress, clientCertificate, localUser, cause } = request;
  return {
    method,
    path,
    query,
    signal,
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
    ...(localUser === undefined ? {} : { localUser }),
    ...(cause === undefined ? {} : { cause }),
    headers: { ...request.headers, 'content-type': contentType },
    readBody: async (limitBytes) => {
      const body = await request.readBody(limitBytes);
      return body.length === 0 ? body : encodeJson(translate(body, into));
    },
  };
}

const fromCbor: Translate = (body, into) => {
  try {
    return decodeCbor(body);
  } catch (error) {
    if (error instanceof CborError) throw unrecognized(body, { mustBe: into.kind, problem: error.message });
    throw error;
  }
};

/** The failure of a body whose kind could be read, but nothing more. */
function unusable(given: TypeName, into: Target, problem: string): Error {
  const { kind, apiVersion } = { kind: given.kind || into.kind, apiVersion: given.apiVersion || into.apiVersion };
  const version = JSON.stringify(apiVersion.slice(apiVersion.indexOf('/') + 1));
  return badRequest(`${kind} in version ${version} cannot be handled as a ${into.kind}: ${problem}`);
}

function targetOf({ verb, group, version, resource, subresource }: RequestInfo, registry: ResourceRegistry): Target {
  if (verb.startsWith('delete')) return { kind: 'DeleteOptions', apiVersion: 'v1' };
  const definition = registry.byResource(group, version, resource);
  if (definition === undefined) return { kind: '', apiVersion: '' };
  const other = definition.subresources.find(({ name }) => name === subresource)?.kind;
  const named = other ?? definition;
  return {
    kind: named.kind,
    apiVersion: named.group === '' ? named.version : `${named.group}/${named.version}`,
  };
}
