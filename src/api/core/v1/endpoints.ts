import { type FieldError, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Label, isIpAddress, isPortNumber, isQualifiedName } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { ENDPOINTS } from '../../generated/resources.ts';
import type { Endpoints, EndpointSubset } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, checkOneOf, type FieldErrors } from '../../validation/basics.ts';
import { portProtocols } from './pod/validation/ports.ts';

const SHOWN_MAX = 3;

export const endpoints = defineKind(ENDPOINTS, {
  strategy: {
    allowCreateOnUpdate: true,
    applyDefaults(next) {
      for (const subset of next.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
    },
    validate,
    validateUpdate: (next) => validate(next),
    warnings: () => ['v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
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

function validate(object: Endpoints): FieldError[] {
  const errors: FieldErrors = [];
  const path = new FieldPath('subsets');
  for (const [index, subset] of (object.subsets ?? []).entries()) checkSubset(subset, path.index(index), errors);
  return errors;
}

function checkSubset(subset: EndpointSubset, path: FieldPath, errors: FieldErrors): void {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  if (addresses.length === 0 && notReadyAddresses.length === 0) {
    errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
  }
  for (const [index, address] of addresses.entries()) {
    const ip = address.ip ?? '';
    checkMessages(isIpAddress(ip), ip, path.child('addresses').index(index).child('ip'), errors);
  }
  for (const [index, address] of notReadyAddresses.entries()) {
    const ip = address.ip ?? '';
    checkMessages(isIpAddress(ip), ip, path.child('notReadyAddresses').index(index).child('ip'), errors);
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
