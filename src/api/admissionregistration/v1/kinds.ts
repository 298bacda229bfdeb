import type { LabelSelector } from '#machinery/meta/types.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  VALIDATING_ADMISSION_POLICIES,
  VALIDATING_ADMISSION_POLICY_BINDINGS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
} from '../../generated/resources.ts';
import type { MutatingWebhook, ValidatingWebhook } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';

function defaultWebhook(webhook: MutatingWebhook | ValidatingWebhook): void {
  webhook.failurePolicy ??= 'Fail';
  webhook.matchPolicy ??= 'Equivalent';
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  for (const rule of webhook.rules ?? []) rule.scope ??= '*';
  const service = webhook.clientConfig?.service;
  if (service !== undefined) service.port ??= 443;
}

export const mutatingWebhookConfigurations = defineKind(MUTATING_WEBHOOK_CONFIGURATIONS, {
  strategy: {
    hasGeneration: true,
    applyDefaults(next) {
      for (const webhook of next.webhooks ?? []) {
        defaultWebhook(webhook);
        webhook.reinvocationPolicy ??= 'Never';
      }
    },
  },
  columns: [
    nameColumn,
    column('Webhooks', 'How many webhooks the configuration holds.', ({ webhooks }) => webhooks?.length ?? 0, {
      type: 'integer',
    }),
    ageColumn,
  ],
});

export const validatingWebhookConfigurations = defineKind(VALIDATING_WEBHOOK_CONFIGURATIONS, {
  strategy: {
    hasGeneration: true,
    applyDefaults(next) {
      for (const webhook of next.webhooks ?? []) defaultWebhook(webhook);
    },
  },
  columns: [
    nameColumn,
    column('Webhooks', 'How many webhooks the configuration holds.', ({ webhooks }) => webhooks?.length ?? 0, {
      type: 'integer',
    }),
    ageColumn,
  ],
});

interface Matching {
  matchPolicy?: string;
  namespaceSelector?: LabelSelector;
  objectSelector?: LabelSelector;
  resourceRules?: { scope?: string }[];
  excludeResourceRules?: { scope?: string }[];
}

function defaultMatching(resources: Matching | undefined): void {
  if (resources === undefined) return;
  resources.matchPolicy ??= 'Equivalent';
  resources.namespaceSelector ??= {};
  resources.objectSelector ??= {};
  for (const rule of [...(resources.resourceRules ?? []), ...(resources.excludeResourceRules ?? [])])
    rule.scope ??= '*';
}

export const validatingAdmissionPolicies = defineKind(VALIDATING_ADMISSION_POLICIES, {
  strategy: {
    ...statusRules,
    hasGeneration: true,
    applyDefaults({ spec }) {
      spec.failurePolicy ??= 'Fail';
      defaultMatching(spec.matchConstraints);
    },
  },
  columns: [
    nameColumn,
    column('Validations', 'How many rules the policy checks.', ({ spec }) => spec.validations?.length ?? 0, {
      type: 'integer',
    }),
    column('ParamKind', 'The kind whose objects parameterize the policy.', ({ spec }) =>
      spec.paramKind === undefined ? '<unset>' : `${spec.paramKind.apiVersion ?? ''}/${spec.paramKind.kind ?? ''}`,
    ),
    ageColumn,
  ],
});

export const validatingAdmissionPolicyBindings = defineKind(VALIDATING_ADMISSION_POLICY_BINDINGS, {
  strategy: {
    hasGeneration: true,
    applyDefaults: ({ spec }) => {
      defaultMatching(spec.matchResources);
    },
  },
  columns: [
    nameColumn,
    column('PolicyName', 'The policy that is bound.', ({ spec }) => spec.policyName ?? ''),
    column('ParamRef', 'ParamRef indicates the param resource which sets the configration param', ({ spec }) => {
      const ref = spec.paramRef;
      if (ref === undefined) return '<unset>';
      return ref.selector === undefined
        ? `${ref.namespace === undefined ? '*' : ref.namespace}/${ref.name ?? ''}`
        : '<selector>';
    }),
    ageColumn,
  ],
});
