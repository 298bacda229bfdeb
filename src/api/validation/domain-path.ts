import { invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Subdomain, patternMessage } from '#machinery/validation/names.ts';
import { checkMessages, type FieldErrors } from './basics.ts';

const HTTP_PATH = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const httpPath = new RegExp(`^${HTTP_PATH}$`);

/** `IsDomainPrefixedPath`: `example.com/controller`. */
export function checkDomainPrefixedPath(text: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (text === undefined || text === '') {
    errors.push(required(path, ''));
    return;
  }
  const slash = text.indexOf('/');
  const domain = text.slice(0, Math.max(0, slash));
  const rest = text.slice(slash + 1);
  if (slash < 0 || domain === '' || rest === '') {
    errors.push(invalidValue(path, text, 'must be a domain-prefixed path (such as "acme.io/foo")'));
    return;
  }
  checkMessages(isDns1123Subdomain(domain), domain, path, errors);
  if (!httpPath.test(rest)) errors.push(invalidValue(path, rest, patternMessage('Invalid path', HTTP_PATH, [])));
}
