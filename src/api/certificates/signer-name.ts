import { invalidValue, required, tooLong } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Label, isDns1123Subdomain } from '#machinery/validation/names.ts';
import type { FieldErrors } from '../validation/basics.ts';

const DOMAIN_MAX = 253;
/** A domain, a slash, and a path that has room for a DNS label, a dot and a DNS subdomain. */
const NAME_MAX = DOMAIN_MAX + 1 + (DOMAIN_MAX + 63 + 1);
const FORM = "must be a fully qualified domain and path of the form 'example.com/signer-name'";

/** Names of signers: `example.com/signer-name`. */
export function checkSignerName(name: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (name === undefined || name === '') {
    errors.push(required(path, ''));
    return;
  }
  const [domain = '', rest = '', ...more] = name.split('/');
  if (!name.includes('/') || more.length > 0) {
    errors.push(invalidValue(path, name, FORM));
    return;
  }
  if (Buffer.byteLength(domain) > DOMAIN_MAX) errors.push(tooLong(path, DOMAIN_MAX));
  checkParts(domain, { path, check: isDns1123Label, errors });
  if (!domain.includes('.')) {
    errors.push(invalidValue(path, domain, 'should be a domain with at least two segments separated by dots'));
  }
  checkParts(rest, { path, check: isDns1123Subdomain, errors });
  if (Buffer.byteLength(name) > NAME_MAX) errors.push(tooLong(path, NAME_MAX));
}

/** The first part between dots that is wrong. */
function checkParts(
  text: string,
  { path, check, errors }: { path: FieldPath; check: (text: string) => string[]; errors: FieldErrors },
): void {
  for (const part of text.split('.')) {
    const messages = check(part);
    for (const message of messages) {
      errors.push(invalidValue(path, text, `validating label ${JSON.stringify(part)}: ${message}`));
    }
    if (messages.length > 0) return;
  }
}
