import { duplicateValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isPortName, isPortNumber } from '#machinery/validation/names.ts';
import type { Container, ContainerPort } from '../../../../generated/types.ts';
import { checkMessages, checkOneOf, type FieldErrors } from '../../../../validation/basics.ts';

/** Sorted, as messages list them. */
export const portProtocols = ['SCTP', 'TCP', 'UDP'] as const;

export function checkPorts(ports: readonly ContainerPort[] | undefined, path: FieldPath, errors: FieldErrors): void {
  if (ports === undefined) return;
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = path.index(index);
    if (port.name !== undefined && port.name !== '') {
      const messages = isPortName(port.name);
      checkMessages(messages, port.name, at.child('name'), errors);
      if (messages.length === 0 && names.has(port.name)) errors.push(duplicateValue(at.child('name'), port.name));
      names.add(port.name);
    }
    if ((port.containerPort ?? 0) === 0) errors.push(required(at.child('containerPort'), ''));
    else checkMessages(isPortNumber(port.containerPort), port.containerPort, at.child('containerPort'), errors);
    if (port.hostPort !== undefined && port.hostPort !== 0) {
      checkMessages(isPortNumber(port.hostPort), port.hostPort, at.child('hostPort'), errors);
    }
    checkOneOf(port.protocol, portProtocols, at.child('protocol'), errors);
  }
}

/** No two ports of the containers may ask for the same port of the host. */
export function checkHostPortConflicts(containers: readonly Container[], path: FieldPath, errors: FieldErrors): void {
  const taken = new Set<string>();
  for (const [index, container] of containers.entries()) {
    for (const [position, port] of (container.ports ?? []).entries()) {
      if ((port.hostPort ?? 0) === 0) continue;
      const key = `${port.protocol ?? ''}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (taken.has(key)) {
        errors.push(duplicateValue(path.index(index).child('ports').index(position).child('hostPort'), key));
      }
      taken.add(key);
    }
  }
}
