const DOMAIN_PART = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const DOMAIN = `(?:${DOMAIN_PART}(?:\\.${DOMAIN_PART})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const PATH_PART = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const NAME = `(?:${DOMAIN}/)?${PATH_PART}(?:/${PATH_PART})*`;
const TAG = '[\\w][\\w.-]{0,127}';
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
const REFERENCE = new RegExp(`^(${NAME})(?::(${TAG}))?(?:@(${DIGEST}))?$`);

export type ParsedReference =
  | { readonly type: 'valid'; readonly reference: string; readonly registry: string; readonly repository: string }
  | { readonly type: 'invalid'; readonly message: string };

/**
 * Checks an image reference by the distribution project's grammar and completes it with `:latest` where it has neither
 * tag nor digest. Short names stay short: the runtime knows its default registry.
 */
export function parseReference(image: string): ParsedReference {
  const match = REFERENCE.exec(image);
  if (match === null) return { type: 'invalid', message: problem(image) };
  const [, name = '', tag, digest] = match;
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isDomain = first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase();
  return {
    type: 'valid',
    reference: tag === undefined && digest === undefined ? `${image}:latest` : image,
    registry: isDomain ? first : 'docker.io',
    repository: isDomain ? name.slice(slash + 1) : slash < 0 ? `library/${name}` : name,
  };
}

function problem(image: string): string {
  const repository = image.split(/[:@]/)[0] ?? '';
  const lower = image.toLowerCase();
  if (repository !== repository.toLowerCase() && REFERENCE.test(lower)) {
    const full = repository.includes('/') ? repository : `library/${repository}`;
    return `couldn't parse image name "${image}": invalid reference format: repository name (${full}) must be lowercase`;
  }
  return `couldn't parse image name "${image}": invalid reference format`;
}
