import {
  isDns1123Label,
  isDns1123Subdomain,
  isPathSegmentName,
  maskTrailingDash,
} from '#machinery/validation/names.ts';

type NameRule = (name: string, options: { isPrefix: boolean }) => string[];

/** Names that must be DNS labels: namespaces, and services (KEP-5311). */
export const labelName: NameRule = (name, { isPrefix }) => isDns1123Label(isPrefix ? maskTrailingDash(name) : name);

/** Names that need only fit into a path: roles and bindings. */
export const pathSegmentName: NameRule = (name, options) => isPathSegmentName(name, options);

export const subdomainName: NameRule = (name, { isPrefix }) =>
  isDns1123Subdomain(isPrefix ? maskTrailingDash(name) : name);
