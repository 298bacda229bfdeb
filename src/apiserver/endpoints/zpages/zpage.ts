import { badRequest, notAcceptable } from '#machinery/errors/status-error.ts';
import { encodeYaml } from '#machinery/codec/yaml.ts';
import type { ApiRequest, ApiResponse } from '../../pipeline/types.ts';
import { jsonResponse, textResponse } from '../../pipeline/types.ts';

const GROUP = 'config.k8s.io';
const VERSIONS = ['v1beta1', 'v1alpha1'];
const OFFERED = ['text/plain', 'application/json', 'application/yaml'];
const WARNING =
  'Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for ' +
  'debugging purposes only.';

/** A page for people that is also an object of `config.k8s.io` for who names its version (KEP-4827, KEP-4828). */
export interface ZPage {
  /** `kube-apiserver` */
  readonly component: string;
  readonly kind: 'Statusz' | 'Flagz';
  /** The lines below the heading. */
  readonly text: () => string;
  /** The object's own fields in a version. */
  readonly fields: (version: string) => Readonly<Record<string, unknown>>;
}

/** Plain text unless the client names group, version and kind of the object that it wants; 406 for anything else. */
export function serveZPage(page: ZPage, request: ApiRequest): ApiResponse {
  const accept = request.headers['accept'] ?? '';
  for (const range of accept === '' ? ['*/*'] : accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    if (['text/plain', 'text/*', '*/*'].includes(type)) return textResponse(200, asText(page));
    if (type !== 'application/json' && type !== 'application/yaml') continue;
    const named = new Map(parameters.map((parameter) => splitOnce(parameter)));
    const version = named.get('v') ?? '';
    if (named.get('g') !== GROUP || named.get('as') !== page.kind || !VERSIONS.includes(version)) continue;
    const object = objectOf(page, version);
    if (type === 'application/json') return jsonResponse(200, object);
    return textResponse(200, encodeYaml(object), { 'content-type': 'application/yaml' });
  }
  throw notAcceptable(OFFERED);
}

function objectOf(page: ZPage, version: string): Record<string, unknown> {
  const metadata = { name: page.component };
  return { kind: page.kind, apiVersion: `${GROUP}/${version}`, metadata, ...page.fields(version) };
}

function asText({ component, kind, text }: ZPage): string {
  return `\n${component} ${kind.toLowerCase()}\n${WARNING}\n${text()}`;
}

function splitOnce(parameter: string): [string, string] {
  const equals = parameter.indexOf('=');
  if (equals < 0) throw badRequest(`cannot read the parameter ${JSON.stringify(parameter)} of the Accept header`);
  return [parameter.slice(0, equals), parameter.slice(equals + 1).replace(/^"|"$/g, '')];
}
