import { type FieldError, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1035Label } from '#machinery/validation/names.ts';
import type { CustomResourceConversion, CustomResourceDefinition } from '../../../generated/types.ts';

const PATH = new FieldPath('spec.conversion');
const CONFIG = PATH.child('webhookClientConfig');
/** Versions of ConversionReview that the server before this one speaks, too. */
const REVIEW_VERSIONS = ['v1', 'v1beta1'];

interface ConversionContext {
  readonly crd: CustomResourceDefinition;
  readonly old: CustomResourceConversion | undefined;
  readonly wasEstablished: boolean;
}

/** Checks how versions are converted; paths and names are those of upstream's internal form. */
export function validateConversion(conversion: CustomResourceConversion, context: ConversionContext): FieldError[] {
  const errors: FieldError[] = [];
  const { strategy, webhook } = conversion;
  if (strategy === '') errors.push(required(PATH.child('strategy'), ''));
  else if (strategy !== 'None' && strategy !== 'Webhook') {
    errors.push(notSupported(PATH.child('strategy'), strategy, ['None', 'Webhook']));
  }
  if (strategy === 'Webhook') {
    errors.push(...clientErrors(conversion, context), ...reviewErrors(conversion, context));
    return errors;
  }
  const detail = 'should not be set when strategy is not set to Webhook';
  if (webhook?.clientConfig !== undefined) errors.push(forbiddenValue(CONFIG, detail));
  if ((webhook?.conversionReviewVersions ?? []).length > 0) {
    errors.push(forbiddenValue(PATH.child('conversionReviewVersions'), detail));
  }
  return errors;
}

function clientErrors({ webhook }: CustomResourceConversion, { wasEstablished, old }: ConversionContext): FieldError[] {
  const config = webhook?.clientConfig;
  if (config === undefined) return [required(CONFIG, 'required when strategy is set to Webhook')];
  const errors: FieldError[] = [];
  const { url, service, caBundle = '' } = config;
  if ((url === undefined) === (service === undefined)) {
    errors.push(required(CONFIG, 'exactly one of url or service is required'));
  } else if (url !== undefined) errors.push(...urlErrors(url, CONFIG.child('url')));
  else if (service !== undefined) {
    const at = CONFIG.child('service');
    if ((service.name ?? '') === '') errors.push(required(at.child('name'), 'service name is required'));
    if ((service.namespace ?? '') === '') errors.push(required(at.child('namespace'), 'service namespace is required'));
    const { port = 443, path } = service;
    if (port < 1 || port > 65535) {
      errors.push(invalidValue(at.child('port'), port, 'port is not valid: must be between 1 and 65535, inclusive'));
    }
    if (path !== undefined) errors.push(...pathErrors(path, at.child('path')));
  }
  const before = old?.webhook?.clientConfig?.caBundle ?? '';
  // Before it is established, or where it was no better, a bundle is let pass.
  const isTolerated = !wasEstablished || (before !== '' && !isCaBundle(before));
  if (caBundle !== '' && !isTolerated && !isCaBundle(caBundle)) {
    const detail = 'unable to load root certificates: unable to parse bytes as PEM block';
    errors.push(invalidValue(CONFIG.child('caBundle'), caBundle, detail));
  }
  return errors;
}

/** Whether a bundle, in base64, holds certificates. */
export function isCaBundle(base64: string): boolean {
  const text = Buffer.from(base64, 'base64').toString('latin1');
  return text.trim() === '' || /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/.test(text);
}

function urlErrors(url: string, path: FieldPath): FieldError[] {
  const form = '; desired format: https://host[/path]';
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return [required(path, `url must be a valid URL: parse ${JSON.stringify(url)}: invalid URI for request${form}`)];
  }
  const errors: FieldError[] = [];
  if (parsed.protocol !== 'https:') {
    const scheme = parsed.protocol.slice(0, -1);
    errors.push(invalidValue(path, scheme, `'https' is the only allowed URL scheme${form}`));
  }
  if (parsed.host === '') errors.push(invalidValue(path, '', `host must be specified${form}`));
  if (parsed.username !== '') {
    errors.push(invalidValue(path, parsed.username, 'user information is not permitted in the URL'));
  }
  if (parsed.hash !== '') {
    errors.push(invalidValue(path, parsed.hash.slice(1), 'fragments are not permitted in the URL'));
  }
  if (parsed.search !== '') {
    errors.push(invalidValue(path, parsed.search.slice(1), 'query parameters are not permitted in the URL'));
  }
  return errors;
}

function pathErrors(text: string, path: FieldPath): FieldError[] {
  if (text === '' || text === '/') return [];
  if (text === '//') return [invalidValue(path, text, 'segment[0] may not be empty')];
  if (!text.startsWith('/')) return [invalidValue(path, text, "must start with a '/'")];
  const segments = text.slice(1).split('/');
  if (segments.at(-1) === '') segments.pop();
  return segments.flatMap((segment, index) =>
    segment === '' ? [invalidValue(path, text, `segment[${index}] may not be empty`)] : [],
  );
}

function reviewErrors({ webhook }: CustomResourceConversion, { old }: ConversionContext): FieldError[] {
  const versions = webhook?.conversionReviewVersions ?? [];
  const path = PATH.child('conversionReviewVersions');
  if (versions.length === 0) return [required(path, '')];
  const errors: FieldError[] = [];
  for (const [index, version] of versions.entries()) {
    if (versions.indexOf(version) < index) {
      errors.push(invalidValue(path.index(index), version, 'duplicate version'));
      continue;
    }
    for (const problem of isDns1035Label(version)) errors.push(invalidValue(path.index(index), version, problem));
  }
  const before = old?.webhook?.conversionReviewVersions ?? [];
  const isRequired = before.length === 0 || before.some((version) => REVIEW_VERSIONS.includes(version));
  if (isRequired && !versions.some((version) => REVIEW_VERSIONS.includes(version))) {
    errors.push(invalidValue(path, versions, `must include at least one of ${REVIEW_VERSIONS.join(', ')}`));
  }
  return errors;
}
