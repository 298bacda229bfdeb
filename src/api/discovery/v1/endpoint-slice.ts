import {
  duplicateValue,
  type FieldError,
  invalidValue,
  notSupported,
  required,
  tooMany,
} from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { ipFamily } from '#machinery/validation/addresses.ts';
import { immutableField, validateLabels } from '#machinery/validation/metadata.ts';
import {
  isDns1123Label,
  isDns1123Subdomain,
  isIpAddress,
  isPortNumber,
  isQualifiedName,
  isValidLabelValue,
} from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { checkEndpointAddress } from '../../validation/ip.ts';
import { portProtocols } from '../../core/v1/pod/validation/ports.ts';
import { ENDPOINT_SLICES } from '../../generated/resources.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';

const ENDPOINTS_MAX = 1000;
const ADDRESSES_MAX = 100;
const PORTS_MAX = 20000;
const SHOWN_MAX = 3;
const TOPOLOGY_LABELS_MAX = 16;
const HINTS_MAX = 8;

/** Labels that tie a slice to its service and to who writes it. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
export const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';

const addressTypes = ['FQDN', 'IPv4', 'IPv6'];

export const endpointSlices = defineKind(ENDPOINT_SLICES, {
  strategy: {
    hasGeneration: true,
    applyDefaults(next) {
      // Upstream writes the list even when it is empty.
      next.endpoints ??= [];
      for (const port of next.ports ?? []) {
        port.name ??= '';
        port.protocol ??= 'TCP';
      }
    },
    validate,
    warnings: ({ addressType }) => (addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : []),
    validateUpdate: (next, current) => [
      ...validate(next),
      ...immutableField(next.addressType, current.addressType, new FieldPath('addressType')),
    ],
  },
  columns: [
    nameColumn,
    column('AddressType', 'IPv4, IPv6 or names.', (slice) => slice.addressType),
    column('Ports', 'The ports of every endpoint.', portsCell),
    column('Endpoints', 'The addresses of the endpoints.', endpointsCell),
    ageColumn,
  ],
});

function portsCell({ ports }: EndpointSlice): string {
  if (ports === undefined || ports.length === 0) return '<unset>';
  const shown = ports.slice(0, SHOWN_MAX).map(({ name, port }) => (port === undefined ? (name ?? '') : String(port)));
  return withMore(shown, ports.length);
}

function endpointsCell({ endpoints }: EndpointSlice): string {
  const addresses = (endpoints ?? []).flatMap((endpoint) => endpoint.addresses);
  return addresses.length === 0 ? '<unset>' : withMore(addresses.slice(0, SHOWN_MAX), addresses.length);
}

function withMore(shown: readonly string[], count: number): string {
  const text = shown.join(',');
  return count > SHOWN_MAX ? `${text} + ${count - SHOWN_MAX} more...` : text;
}

function validate(slice: EndpointSlice): FieldError[] {
  const errors: FieldErrors = [];
  const typePath = new FieldPath('addressType');
  if ((slice.addressType ?? '') === '') errors.push(required(typePath, ''));
  else if (!addressTypes.includes(slice.addressType))
    errors.push(notSupported(typePath, slice.addressType, addressTypes));
  const endpoints = slice.endpoints ?? [];
  const path = new FieldPath('endpoints');
  if (endpoints.length > ENDPOINTS_MAX) errors.push(tooMany(path, endpoints.length, ENDPOINTS_MAX));
  else {
    for (const [index, endpoint] of endpoints.entries()) {
      checkEndpoint(endpoint, path.index(index), { addressType: slice.addressType, errors });
    }
  }
  checkPorts(slice.ports ?? [], new FieldPath('ports'), errors);
  return errors;
}

function checkEndpoint(
  endpoint: Endpoint,
  path: FieldPath,
  { addressType, errors }: { addressType: string; errors: FieldErrors },
): void {
  const at = path.child('addresses');
  const addresses = endpoint.addresses ?? [];
  if (addresses.length === 0) errors.push(required(at, 'must contain at least 1 address'));
  else if (addresses.length > ADDRESSES_MAX) errors.push(tooMany(at, addresses.length, ADDRESSES_MAX));
  for (const [index, address] of addresses.entries()) {
    const addressPath = at.index(index);
    if (addressType === 'FQDN') checkMessages(isDns1123Subdomain(address), address, addressPath, errors);
    else if (addressType === 'IPv4' || addressType === 'IPv6') {
      checkMessages(isIpAddress(address), address, addressPath, errors);
      const family = ipFamily(address);
      if (family !== undefined && family !== addressType) {
        errors.push(invalidValue(addressPath, address, `must be an ${addressType} address`));
      } else checkEndpointAddress(address, addressPath, errors);
    }
  }
  if (endpoint.hostname !== undefined) {
    checkMessages(isDns1123Label(endpoint.hostname), endpoint.hostname, path.child('hostname'), errors);
  }
  if (endpoint.nodeName !== undefined) {
    checkMessages(isDns1123Subdomain(endpoint.nodeName), endpoint.nodeName, path.child('nodeName'), errors);
  }
  checkTopology(endpoint, path, errors);
}

/** Older labels of the endpoint's place, and for whom it is meant. */
function checkTopology({ deprecatedTopology = {}, hints }: Endpoint, path: FieldPath, errors: FieldErrors): void {
  const topologyPath = path.child('deprecatedTopology');
  const count = Object.keys(deprecatedTopology).length;
  if (count > TOPOLOGY_LABELS_MAX) errors.push(tooMany(topologyPath, count, TOPOLOGY_LABELS_MAX));
  errors.push(...validateLabels(deprecatedTopology, topologyPath));
  const lists = [
    { field: 'forZones', check: isValidLabelValue },
    { field: 'forNodes', check: isDns1123Subdomain },
  ] as const;
  for (const { field, check } of lists) {
    const list = hints?.[field] ?? [];
    const at = path.child('hints', field);
    if (list.length > HINTS_MAX) {
      errors.push(tooMany(at, list.length, HINTS_MAX));
      continue;
    }
    for (const [index, { name = '' }] of list.entries()) {
      const namePath = at.index(index).child('name');
      if (list.findIndex((other) => other.name === name) < index) errors.push(duplicateValue(namePath, name));
      if (name === '') errors.push(required(namePath, ''));
      else checkMessages(check(name), name, namePath, errors);
    }
  }
}

function checkPorts(ports: readonly EndpointPort[], path: FieldPath, errors: FieldErrors): void {
  if (ports.length > PORTS_MAX) {
    errors.push(tooMany(path, ports.length, PORTS_MAX));
    return;
  }
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = path.index(index);
    const name = port.name ?? '';
    if (name !== '') checkMessages(isDns1123Label(name), name, at.child('name'), errors);
    if (names.has(name)) errors.push(duplicateValue(at.child('name'), name));
    names.add(name);
    if (port.protocol === undefined) errors.push(required(at.child('protocol'), ''));
    else if (!portProtocols.some((known) => known === port.protocol)) {
      errors.push(notSupported(at.child('protocol'), port.protocol, portProtocols));
    }
    if (port.port !== undefined) checkMessages(isPortNumber(port.port), port.port, at.child('port'), errors);
    if (port.appProtocol !== undefined) {
      checkMessages(isQualifiedName(port.appProtocol), port.appProtocol, at.child('appProtocol'), errors);
    }
  }
}
