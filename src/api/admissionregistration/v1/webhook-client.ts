import { invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Subdomain, isPortNumber } from '#machinery/validation/names.ts';
import type { FieldErrors } from '../../validation/basics.ts';

const FORM = '; desired format: https://host[/path]';

/** Where a webhook is reached by its address. */
export function checkWebhookUrl(text: string, path: FieldPath, errors: FieldErrors): void {
  const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text);
  const [, scheme = '', authority = '', , query = '', fragment = ''] = match ?? [];
  // What Go's parser refuses altogether: a control character, or a colon in the first segment without a scheme.
  if (match === null || Array.from(text).some((character) => character < ' ' || character === '\x7f')) {
    const cause = `parse ${JSON.stringify(text)}: net/url: invalid control character in URL`;
    errors.push(required(path, `url must be a valid URL: ${cause}${FORM}`));
    return;
  }
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  if (scheme.toLowerCase() !== 'https') {
    errors.push(invalidValue(path, scheme, `'https' is the only allowed URL scheme${FORM}`));
  }
  if (host === '') errors.push(invalidValue(path, host, `host must be specified${FORM}`));
  if (at >= 0) {
    errors.push(invalidValue(path, authority.slice(0, at), 'user information is not permitted in the URL'));
  }
  if (fragment !== '') errors.push(invalidValue(path, fragment, 'fragments are not permitted in the URL'));
  if (query !== '') errors.push(invalidValue(path, query, 'query parameters are not permitted in the URL'));
}

/** Where a webhook is reached by its service. */
export function checkWebhookService(
  service: { readonly name?: string; readonly namespace?: string; readonly path?: string; readonly port?: number },
  path: FieldPath,
  errors: FieldErrors,
): void {
  const { name = '', namespace = '', path: text = '', port = 0 } = service;
  if (name === '') errors.push(required(path.child('name'), 'service name is required'));
  if (namespace === '') errors.push(required(path.child('namespace'), 'service namespace is required'));
  const messages = isPortNumber(port);
  if (messages.length > 0) {
    errors.push(invalidValue(path.child('port'), port, `port is not valid: ${messages.join(', ')}`));
  }
  if (text === '' || text === '/') return;
  const at = path.child('path');
  if (text === '//') {
    errors.push(invalidValue(at, text, 'segment[0] may not be empty'));
    return;
  }
  if (!text.startsWith('/')) errors.push(invalidValue(at, text, "must start with a '/'"));
  const segments = text.slice(1).replace(/\/$/, '').split('/');
  for (const [index, segment] of segments.entries()) {
    if (segment === '') errors.push(invalidValue(at, text, `segment[${index}] may not be empty`));
    else {
      for (const failure of isDns1123Subdomain(segment)) {
        errors.push(invalidValue(at, text, `segment[${index}]: ${failure}`));
      }
    }
  }
}
