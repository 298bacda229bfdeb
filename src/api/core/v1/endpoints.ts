import { type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { ipFamily } from '#machinery/validation/addresses.ts';
import { isDns1123Label, isDns1123Subdomain, isPortNumber, isQualifiedName } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { ENDPOINTS } from '../../generated/resources.ts';
import type { EndpointAddress, Endpoints, EndpointSubset } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, checkOneOf, type FieldErrors } from '../../validation/basics.ts';
import { checkEndpointAddress, legacyIpMessages, withoutLeadingZeros } from '../../validation/ip.ts';
import { ipWarnings } from '../../validation/ip-warnings.ts';
import { portProtocols } from './pod/validation/ports.ts';

const SHOWN_MAX = 3;
const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const subsetsPath = new FieldPath('subsets');

export const endpoints = defineKind(ENDPOINTS, {
  strategy: {
    allowCreateOnUpdate: true,
    applyDefaults(next) {
      for (const subset of next.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
    },
    validate: (next) => validate(next),
    validateUpdate: validate,
    warnings,
  },
  columns: [nameColumn, column('Endpoints', 'The addresses and ports behind the service.', endpointsCell), ageColumn],
});

function endpointsCell(object: Endpoints): string {
  if ((object.subsets ?? []).length === 0) return '<none>';
  const all: string[] = [];
  for (const { addresses = [], ports = [] } of object.subsets ?? []) {
    // A headless service may have no ports.
    if (ports.length === 0) all.push(...addresses.map(({ ip }) => ip));
    for (const { port } of ports) all.push(...addresses.map(({ ip }) => hostPort(ip, port)));
  }
  const text = all.slice(0, SHOWN_MAX).join(',');
  return all.length > SHOWN_MAX ? `${text} + ${all.length - SHOWN_MAX} more...` : text;
}

function hostPort(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function validate(object: Endpoints, current?: Endpoints): FieldError[] {
  const errors: FieldErrors = [];
  const known = new Set(allAddresses(current).map(({ ip }) => ip));
  for (const [index, subset] of (object.subsets ?? []).entries()) {
    checkSubset(subset, { path: subsetsPath.index(index), known }, errors);
  }
  return errors;
}

function allAddresses(object: Endpoints | undefined): EndpointAddress[] {
  return (object?.subsets ?? []).flatMap(({ addresses = [], notReadyAddresses = [] }) => [
    ...addresses,
    ...notReadyAddresses,
  ]);
}

function checkAddress(
  { ip, hostname = '', nodeName }: EndpointAddress,
  { path, known }: { path: FieldPath; known: ReadonlySet<string> },
  errors: FieldErrors,
): void {
  const address = ip ?? '';
  const at = path.child('ip');
  if (!known.has(address)) checkMessages(legacyIpMessages(address), address, at, errors);
  if (hostname !== '') checkMessages(isDns1123Label(hostname), hostname, path.child('hostname'), errors);
  if (nodeName !== undefined) checkMessages(isDns1123Subdomain(nodeName), nodeName, path.child('nodeName'), errors);
  // Upstream says so once more.
  if (ipFamily(withoutLeadingZeros(address)) === undefined) {
    errors.push(invalidValue(at, address, 'must be a valid IP address'));
  } else checkEndpointAddress(address, at, errors);
}

function warnings({ metadata, subsets = [] }: Endpoints): string[] {
  // The controller's own objects are in good form.
  if (metadata.labels?.[MANAGED_BY] === 'endpoint-controller') return [];
  return subsets.flatMap((subset, index) =>
    (['addresses', 'notReadyAddresses'] as const).flatMap((field) =>
      (subset[field] ?? []).flatMap(({ ip }, position) => ipWarnings(`subsets[${index}].${field}[${position}].ip`, ip)),
    ),
  );
}

function checkSubset(
  subset: EndpointSubset,
  { path, known }: { path: FieldPath; known: ReadonlySet<string> },
  errors: FieldErrors,
): void {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  if (addresses.length === 0 && notReadyAddresses.length === 0) {
    errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
  }
  for (const [index, address] of addresses.entries()) {
    checkAddress(address, { path: path.child('addresses').index(index), known }, errors);
  }
  for (const [index, address] of notReadyAddresses.entries()) {
    checkAddress(address, { path: path.child('notReadyAddresses').index(index), known }, errors);
  }
  for (const [index, port] of ports.entries()) {
    const at = path.child('ports').index(index);
    if ((port.name ?? '') !== '') checkMessages(isDns1123Label(port.name ?? ''), port.name, at.child('name'), errors);
    else if (ports.length > 1) errors.push(required(at.child('name'), ''));
    checkMessages(isPortNumber(port.port), port.port, at.child('port'), errors);
    checkOneOf(port.protocol, portProtocols, at.child('protocol'), errors);
    if (port.appProtocol !== undefined) {
      checkMessages(isQualifiedName(port.appProtocol), port.appProtocol, at.child('appProtocol'), errors);
    }
  }
}
