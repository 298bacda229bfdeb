import { type FieldError, forbiddenValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Subdomain, isIpAddress } from '#machinery/validation/names.ts';
import type { Service } from '../../../generated/types.ts';
import { checkMessages, type FieldErrors } from '../../../validation/basics.ts';
import { legacyIpMessages } from '../../../validation/ip.ts';

const ingressPath = new FieldPath('status').child('loadBalancer', 'ingress');
const modes = ['Proxy', 'VIP'];

/** What a balancer says of itself: addresses or names, and of addresses how they are reached. */
export function validateServiceStatus(service: Service, current?: Service): FieldError[] {
  const errors: FieldErrors = [];
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  if (ingress.length > 0 && service.spec.type !== 'LoadBalancer') {
    return [forbiddenValue(ingressPath, "may only be used when `spec.type` is 'LoadBalancer'")];
  }
  const known = new Set((current?.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip));
  for (const [index, { ip = '', hostname = '', ipMode }] of ingress.entries()) {
    const at = ingressPath.index(index);
    if (ip !== '' && !known.has(ip)) checkMessages(legacyIpMessages(ip), ip, at.child('ip'), errors);
    if (ipMode === undefined) {
      if (ip !== '') errors.push(required(at.child('ipMode'), 'must be specified when `ip` is set'));
    } else if (ip === '') {
      errors.push(forbiddenValue(at.child('ipMode'), 'may not be specified when `ip` is not set'));
    } else if (!modes.includes(ipMode)) errors.push(notSupported(at.child('ipMode'), ipMode, modes));
    if (hostname === '') continue;
    checkMessages(isDns1123Subdomain(hostname), hostname, at.child('hostname'), errors);
    if (isIpAddress(hostname).length === 0) {
      checkMessages(['must be a DNS name, not an IP address'], hostname, at.child('hostname'), errors);
    }
  }
  return errors;
}
