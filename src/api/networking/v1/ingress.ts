import { type FieldError, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { ipFamily } from '#machinery/validation/addresses.ts';
import {
  isDns1123Label,
  isDns1123Subdomain,
  isPathSegmentName,
  isPortName,
  isPortNumber,
  isWildcardDns1123Subdomain,
} from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { INGRESSES } from '../../generated/resources.ts';
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressRule,
  IngressTLS,
  TypedLocalObjectReference,
} from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { legacyIpMessages } from '../../validation/ip.ts';
import { partly } from '../../validation/partly.ts';

const specPath = new FieldPath('spec');
const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';
const NOT_AN_ADDRESS = 'must be a DNS name, not an IP address';
const FORBIDDEN_SEQUENCES = ['//', '/./', '/../', '%2f', '%2F'];
const FORBIDDEN_ENDINGS = ['/..', '/.'];
const HOSTS_SHOWN_MAX = 3;
/** A cell with addresses is cut at this many characters. */
const ADDRESS_CHARACTERS_MAX = 16;

export const ingresses = defineKind(INGRESSES, {
  strategy: {
    ...statusRules,
    prepareForCreate(next) {
      next.status = { loadBalancer: {} };
    },
    hasGeneration: true,
    validate: validateNew,
    validateUpdate: (next, current) => checkSpec(next, { wasInvalid: hasInvalidSecretName(current) }),
    validateStatusUpdate: validateStatus,
    warnings: (next, current) =>
      current === undefined && next.metadata.annotations?.[CLASS_ANNOTATION] !== undefined
        ? [`annotation "${CLASS_ANNOTATION}" is deprecated, please use 'spec.ingressClassName' instead`]
        : [],
  },
  columns: [
    nameColumn,
    column(
      'Class',
      'The name of the IngressClass resource that should be used for additional configuration',
      ({ spec, metadata }) => spec.ingressClassName ?? metadata.annotations?.[CLASS_ANNOTATION] ?? '<none>',
    ),
    column('Hosts', 'Hosts that incoming requests are matched against before the ingress rule', ({ spec }) =>
      hostsCell(spec.rules),
    ),
    column('Address', 'Address is a list containing ingress points for the load-balancer', addressCell),
    column('Ports', 'Ports of TLS configurations that open', ({ spec }) =>
      (spec.tls ?? []).length > 0 ? '80, 443' : '80',
    ),
    ageColumn,
  ],
});

function hostsCell(rules: readonly IngressRule[] | undefined): string {
  const hosts: string[] = [];
  for (const { host = '' } of rules ?? []) {
    if (hosts.length === HOSTS_SHOWN_MAX)
      return `${hosts.join(',')} + ${(rules ?? []).length - HOSTS_SHOWN_MAX} more...`;
    if (host !== '') hosts.push(host);
  }
  return hosts.length === 0 ? '*' : hosts.join(',');
}

function addressCell({ status }: Ingress): string {
  const points = status?.loadBalancer?.ingress ?? [];
  const text = [...new Set(points.map(({ ip = '', hostname = '' }) => (ip === '' ? hostname : ip)))]
    .filter((address) => address !== '')
    .toSorted()
    .join(',');
  return text.length > ADDRESS_CHARACTERS_MAX && points.length > 1
    ? `${text.slice(0, ADDRESS_CHARACTERS_MAX - 3)}...`
    : text;
}

function validateNew(ingress: Ingress): FieldError[] {
  const errors = checkSpec(ingress, { wasInvalid: false });
  const annotation = ingress.metadata.annotations?.[CLASS_ANNOTATION];
  const { ingressClassName } = ingress.spec;
  if (annotation !== undefined && ingressClassName !== undefined && annotation !== ingressClassName) {
    const detail = 'must match `ingressClassName` when both are specified';
    errors.push(invalidValue(new FieldPath('annotations').child(CLASS_ANNOTATION), annotation, detail));
  }
  return errors;
}

function checkSpec({ spec }: Ingress, { wasInvalid }: { wasInvalid: boolean }): FieldError[] {
  const errors: FieldErrors = [];
  const { rules = [], defaultBackend, tls = [], ingressClassName } = spec;
  if (rules.length === 0 && defaultBackend === undefined) {
    errors.push(invalidValue(specPath, spec.rules, 'either `defaultBackend` or `rules` must be specified'));
  }
  if (defaultBackend !== undefined) checkBackend(defaultBackend, specPath.child('defaultBackend'), errors);
  for (const [index, rule] of rules.entries()) checkRule(rule, specPath.child('rules').index(index), errors);
  for (const [index, item] of tls.entries()) {
    const path = specPath.child('tls').index(index);
    for (const [position, host] of (item.hosts ?? []).entries()) {
      checkMessages(hostMessages(host), host, path.child('hosts').index(position), errors);
    }
    if (!wasInvalid) checkMessages(secretNameMessages(item), item.secretName, path.child('secretName'), errors);
  }
  if (ingressClassName !== undefined) {
    checkMessages(isDns1123Subdomain(ingressClassName), ingressClassName, specPath.child('ingressClassName'), errors);
  }
  return errors;
}

function hostMessages(host: string): string[] {
  return host.includes('*') ? isWildcardDns1123Subdomain(host) : isDns1123Subdomain(host);
}

function secretNameMessages({ secretName = '' }: IngressTLS): string[] {
  return secretName === '' ? [] : isDns1123Subdomain(secretName);
}

// What was stored before the rule stays usable.
function hasInvalidSecretName({ spec }: Ingress): boolean {
  return (spec.tls ?? []).some((item) => secretNameMessages(item).length > 0);
}

function checkRule({ host = '', http }: IngressRule, path: FieldPath, errors: FieldErrors): void {
  if (host !== '') {
    if (ipFamily(host) !== undefined) errors.push(invalidValue(path.child('host'), host, NOT_AN_ADDRESS));
    checkMessages(hostMessages(host), host, path.child('host'), errors);
  }
  if (http === undefined) return;
  const paths = path.child('http', 'paths');
  if ((http.paths ?? []).length === 0) errors.push(required(paths, ''));
  for (const [index, item] of (http.paths ?? []).entries()) checkPath(item, paths.index(index), errors);
}

function checkPath(item: HTTPIngressPath, at: FieldPath, errors: FieldErrors): void {
  const { path = '', pathType = '' } = partly(item);
  const pathAt = at.child('path');
  if (item.pathType === undefined) {
    errors.push(required(at.child('pathType'), 'pathType must be specified'));
    return;
  }
  if (!pathTypes.includes(pathType)) errors.push(notSupported(at.child('pathType'), pathType, pathTypes));
  else if (pathType === 'ImplementationSpecific') {
    if (path !== '' && !path.startsWith('/')) errors.push(invalidValue(pathAt, path, 'must be an absolute path'));
  } else {
    if (!path.startsWith('/')) errors.push(invalidValue(pathAt, path, 'must be an absolute path'));
    for (const part of FORBIDDEN_SEQUENCES) {
      if (path.includes(part)) errors.push(invalidValue(pathAt, path, `must not contain '${part}'`));
    }
    for (const end of FORBIDDEN_ENDINGS) {
      if (path.endsWith(end)) errors.push(invalidValue(pathAt, path, `cannot end with '${end}'`));
    }
  }
  checkBackend(item.backend ?? {}, at.child('backend'), errors);
}

function checkBackend({ service, resource }: IngressBackend, path: FieldPath, errors: FieldErrors): void {
  if (service !== undefined && resource !== undefined) {
    errors.push(invalidValue(path, '', 'cannot set both resource and service backends'));
  } else if (resource !== undefined) checkReference(resource, path.child('resource'), errors);
  else if (service === undefined) errors.push(invalidValue(path, '', 'resource or service backend is required'));
  else {
    const namePath = path.child('service', 'name');
    if ((service.name ?? '') === '') errors.push(required(namePath, ''));
    else checkMessages(isDns1123Label(service.name), service.name, namePath, errors);
    const { name = '', number = 0 } = service.port ?? {};
    const portPath = path.child('service', 'port');
    if (name !== '' && number !== 0) {
      errors.push(invalidValue(path, '', 'cannot set both port name & port number'));
    } else if (name !== '') checkMessages(isPortName(name), name, portPath.child('name'), errors);
    else if (number !== 0) checkMessages(isPortNumber(number), number, portPath.child('number'), errors);
    else errors.push(required(path, 'port name or number is required'));
  }
}

function checkReference(reference: TypedLocalObjectReference, path: FieldPath, errors: FieldErrors): void {
  const { apiGroup, kind, name } = reference;
  if (apiGroup !== undefined) checkMessages(isDns1123Subdomain(apiGroup), apiGroup, path.child('apiGroup'), errors);
  checkSegment(kind, path.child('kind'), errors);
  checkSegment(name, path.child('name'), errors);
}

/** A required text that may stand in a path. */
export function checkSegment(text: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (text === undefined || text === '') errors.push(required(path, ''));
  else checkMessages(isPathSegmentName(text), text, path, errors);
}

function validateStatus({ status }: Ingress, current: Ingress): FieldError[] {
  const errors: FieldErrors = [];
  const path = new FieldPath('status').child('loadBalancer', 'ingress');
  const known = new Set((current.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip));
  for (const [index, { ip = '', hostname = '' }] of (status?.loadBalancer?.ingress ?? []).entries()) {
    if (ip !== '' && !known.has(ip)) checkMessages(legacyIpMessages(ip), ip, path.index(index).child('ip'), errors);
    if (hostname === '') continue;
    const at = path.index(index).child('hostname');
    checkMessages(isDns1123Subdomain(hostname), hostname, at, errors);
    if (ipFamily(hostname) !== undefined) errors.push(invalidValue(at, hostname, NOT_AN_ADDRESS));
  }
  return errors;
}
