import { type FieldError, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { ageColumn, column, joined, nameColumn } from '../../columns/common.ts';
import { formatLabelSelector } from '../../columns/selector.ts';
import {
  INGRESS_CLASSES,
  INGRESSES,
  IP_ADDRESSES,
  NETWORK_POLICIES,
  SERVICE_CIDRS,
} from '../../generated/resources.ts';
import type { Ingress, IngressRule, NetworkPolicy } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import type { FieldErrors } from '../../validation/basics.ts';

const specPath = new FieldPath('spec');
const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];

export const ingresses = defineKind(INGRESSES, {
  strategy: {
    ...statusRules,
    hasGeneration: true,
    validate: validateIngress,
    validateUpdate: (next) => validateIngress(next),
  },
  columns: [
    nameColumn,
    column(
      'Class',
      'The class that says who serves the ingress.',
      ({ spec, metadata }) =>
        spec.ingressClassName ?? metadata.annotations?.['kubernetes.io/ingress.class'] ?? '<none>',
    ),
    column('Hosts', 'Hosts that incoming requests are matched against before the ingress rule', ({ spec }) =>
      hostsCell(spec.rules),
    ),
    column('Address', 'Address is a list containing ingress points for the load-balancer', ({ status }) =>
      (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '').join(','),
    ),
    column('Ports', 'Ports of TLS configurations that open', ({ spec }) =>
      (spec.tls ?? []).length > 0 ? '80, 443' : '80',
    ),
    ageColumn,
  ],
});

const HOSTS_SHOWN_MAX = 3;

function hostsCell(rules: readonly IngressRule[] | undefined): string {
  const hosts = (rules ?? []).map((rule) => rule.host ?? '').filter((host) => host !== '');
  if (hosts.length === 0) return '*';
  const text = hosts.slice(0, HOSTS_SHOWN_MAX).join(',');
  return hosts.length > HOSTS_SHOWN_MAX ? `${text} + ${hosts.length - HOSTS_SHOWN_MAX} more...` : text;
}

function validateIngress({ spec }: Ingress): FieldError[] {
  const errors: FieldErrors = [];
  if ((spec.rules ?? []).length === 0 && spec.defaultBackend === undefined) {
    errors.push(invalidValue(specPath, spec.rules, 'either `defaultBackend` or `rules` must be specified'));
  }
  for (const [index, rule] of (spec.rules ?? []).entries()) {
    const path = specPath.child('rules').index(index).child('http', 'paths');
    if (rule.http !== undefined && (rule.http.paths ?? []).length === 0) errors.push(required(path, ''));
    for (const [position, item] of (rule.http?.paths ?? []).entries()) {
      const at = path.index(position);
      if ((item.pathType ?? '') === '') errors.push(required(at.child('pathType'), 'pathType must be specified'));
      else if (!pathTypes.includes(item.pathType))
        errors.push(notSupported(at.child('pathType'), item.pathType, pathTypes));
      else if (item.pathType !== 'ImplementationSpecific' && !(item.path ?? '').startsWith('/')) {
        errors.push(invalidValue(at.child('path'), item.path ?? '', 'must be an absolute path'));
      }
    }
  }
  return errors;
}

export const ingressClasses = defineKind(INGRESS_CLASSES, {
  strategy: {
    hasGeneration: true,
    applyDefaults(next) {
      if (next.spec.parameters !== undefined) next.spec.parameters.scope ??= 'Cluster';
    },
  },
  columns: [
    nameColumn,
    column('Controller', 'Controller that is responsible for handling this class', ({ spec }) => spec.controller ?? ''),
    column('Parameters', 'A reference to a resource with additional parameters', ({ spec }) => {
      const parameters = spec.parameters;
      if (parameters === undefined) return '<none>';
      const group = parameters.apiGroup === undefined ? '' : `.${parameters.apiGroup}`;
      return `${parameters.kind}${group}/${parameters.name}`;
    }),
    ageColumn,
  ],
});

export const networkPolicies = defineKind(NETWORK_POLICIES, {
  strategy: {
    hasGeneration: true,
    applyDefaults: defaultNetworkPolicy,
    validate: ({ spec }) => validateLabelSelector(spec.podSelector, specPath.child('podSelector'), {}),
  },
  columns: [
    nameColumn,
    column('Pod-Selector', 'Which pods the policy is for.', ({ spec }) => formatLabelSelector(spec.podSelector)),
    ageColumn,
  ],
});

function defaultNetworkPolicy({ spec }: NetworkPolicy): void {
  for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
    for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
  }
  if (spec.policyTypes === undefined) {
    spec.policyTypes = spec.egress === undefined ? ['Ingress'] : ['Ingress', 'Egress'];
  }
}

export const ipAddresses = defineKind(IP_ADDRESSES, {
  strategy: { hasGeneration: true },
  columns: [
    nameColumn,
    column('ParentRef', 'Who uses the address.', ({ spec }) => {
      const ref = spec.parentRef;
      if (ref === undefined) return '<none>';
      const parts = [ref.group, ref.resource, ref.namespace, ref.name].filter(
        (part) => part !== undefined && part !== '',
      );
      return parts.length === 0
        ? '<none>'
        : `${[ref.resource, ref.group].filter((part) => (part ?? '') !== '').join('.')}/${[ref.namespace, ref.name].filter((part) => (part ?? '') !== '').join('/')}`;
    }),
    ageColumn,
  ],
});

export const serviceCidrs = defineKind(SERVICE_CIDRS, {
  strategy: { ...statusRules, hasGeneration: true },
  columns: [
    nameColumn,
    column('CIDRs', 'The ranges that addresses are taken from.', ({ spec }) => joined(spec.cidrs)),
    ageColumn,
  ],
});
