import { duplicateValue, type FieldError, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { isDns1035Label, isDns1123Subdomain } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS } from '../../generated/resources.ts';
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '../../generated/types.ts';
import { defineKind, type KindColumn } from '../../registry/kind.ts';
import { checkMessages, checkOptionalOneOf, type FieldErrors } from '../../validation/basics.ts';
import { PolicyExpressions } from './policy-expressions.ts';
import { checkWebhookService, checkWebhookUrl } from './webhook-client.ts';
import { checkConditions, checkRule, matchPolicies } from './rule-validation.ts';
import { partly } from '../../validation/partly.ts';

type Webhook = MutatingWebhook | ValidatingWebhook;
type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

const webhooksPath = new FieldPath('webhooks');
const failurePolicies = ['Fail', 'Ignore'];
const sideEffectClasses = ['None', 'NoneOnDryRun', 'Some', 'Unknown'];
const harmlessClasses = ['None', 'NoneOnDryRun'];
const reviewVersions = ['v1', 'v1beta1'];
const NAME_SEGMENTS_MIN = 3;

const columns: KindColumn<Configuration>[] = [
  nameColumn,
  column(
    'Webhooks',
    'Webhooks indicates the number of webhooks registered in this configuration',
    ({ webhooks }) => webhooks?.length ?? 0,
    {
      type: 'integer',
    },
  ),
  ageColumn,
];

export const mutatingWebhookConfigurations = defineKind(MUTATING_WEBHOOK_CONFIGURATIONS, {
  strategy: {
    allowUnconditionalUpdate: false,
    hasGeneration: true,
    applyDefaults(next) {
      for (const webhook of next.webhooks ?? []) {
        setDefaults(webhook);
        webhook.reinvocationPolicy ??= 'Never';
      }
    },
    validate: (next) => validate(next, undefined),
    validateUpdate: validate,
  },
  columns,
});

export const validatingWebhookConfigurations = defineKind(VALIDATING_WEBHOOK_CONFIGURATIONS, {
  strategy: {
    allowUnconditionalUpdate: false,
    hasGeneration: true,
    applyDefaults(next) {
      for (const webhook of next.webhooks ?? []) setDefaults(webhook);
    },
    validate: (next) => validate(next, undefined),
    validateUpdate: validate,
  },
  columns,
});

function setDefaults(webhook: Webhook): void {
  webhook.failurePolicy ??= 'Fail';
  webhook.matchPolicy ??= 'Equivalent';
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  for (const rule of webhook.rules ?? []) rule.scope ??= '*';
  const service = webhook.clientConfig?.service;
  if (service !== undefined) service.port ??= 443;
}

/** Rules that came later do not hold for a configuration that never obeyed them. */
function validate(next: Configuration, current: Configuration | undefined): FieldError[] {
  const errors: FieldErrors = [];
  const before: readonly Webhook[] = current?.webhooks ?? [];
  const options: WebhookOptions = {
    classes: before.every(({ sideEffects }) => harmlessClasses.includes(sideEffects))
      ? harmlessClasses
      : sideEffectClasses,
    needsKnownVersion: before.every(
      ({ admissionReviewVersions: versions }: Partial<Webhook>) =>
        (versions ?? []).length === 0 || (versions ?? []).some(isKnownVersion),
    ),
    errors,
  };
  const needsUniqueNames = new Set(before.map(({ name }) => name)).size === before.length;
  const expressions = new PolicyExpressions({ hasParams: false, hasVariables: false });
  const names = new Set<string>();
  for (const [index, webhook] of (next.webhooks ?? []).entries()) {
    const path = webhooksPath.index(index);
    checkWebhook(webhook, path, options);
    checkConditions(webhook.matchConditions ?? [], path.child('matchConditions'), {
      before: before[index] === undefined ? undefined : (before[index].matchConditions ?? []),
      expressions,
      errors,
    });
    checkReviewVersions(webhook, path.child('admissionReviewVersions'), options);
    const { name = '' } = partly(webhook);
    if (needsUniqueNames && names.has(name)) errors.push(duplicateValue(path.child('name'), name));
    if (name !== '') names.add(name);
  }
  return errors;
}

interface WebhookOptions {
  readonly classes: readonly string[];
  readonly needsKnownVersion: boolean;
  readonly errors: FieldErrors;
}

function checkWebhook(webhook: Webhook, path: FieldPath, { classes, errors }: WebhookOptions): void {
  checkName(webhook.name, path.child('name'), errors);
  for (const [index, rule] of (webhook.rules ?? []).entries())
    checkRule(rule, path.child('rules').index(index), errors);
  checkOptionalOneOf(webhook.failurePolicy, failurePolicies, path.child('failurePolicy'), errors);
  checkOptionalOneOf(webhook.matchPolicy, matchPolicies, path.child('matchPolicy'), errors);
  const { sideEffects, timeoutSeconds } = webhook;
  const effectsPath = path.child('sideEffects');
  if (sideEffects === undefined) errors.push(required(effectsPath, `must specify one of ${classes.join(', ')}`));
  else if (!classes.includes(sideEffects)) errors.push(notSupported(effectsPath, sideEffects, classes));
  if (timeoutSeconds !== undefined && (timeoutSeconds < 1 || timeoutSeconds > 30)) {
    const detail = 'the timeout value must be between 1 and 30 seconds';
    errors.push(invalidValue(path.child('timeoutSeconds'), timeoutSeconds, detail));
  }
  for (const field of ['namespaceSelector', 'objectSelector'] as const) {
    const selector = webhook[field];
    if (selector !== undefined) errors.push(...validateLabelSelector(selector, path.child(field), {}));
  }
  if ('reinvocationPolicy' in webhook) {
    const policies = ['IfNeeded', 'Never'];
    checkOptionalOneOf(webhook.reinvocationPolicy, policies, path.child('reinvocationPolicy'), errors);
  }
  const { url, service } = webhook.clientConfig ?? {};
  const client = path.child('clientConfig');
  if ((url === undefined) === (service === undefined)) {
    errors.push(required(client, 'exactly one of url or service is required'));
  } else if (url !== undefined) checkWebhookUrl(url, client.child('url'), errors);
  else if (service !== undefined) checkWebhookService(service, client.child('service'), errors);
}

/** At least three parts, so that names of different vendors do not meet. */
function checkName(name: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (name === undefined || name === '') {
    errors.push(required(path, ''));
    return;
  }
  checkMessages(isDns1123Subdomain(name), name, path, errors);
  if (name.split('.').length < NAME_SEGMENTS_MIN) {
    errors.push(invalidValue(path, name, 'should be a domain with at least three segments separated by dots'));
  }
}

function isKnownVersion(version: string): boolean {
  return reviewVersions.includes(version);
}

function checkReviewVersions(
  { admissionReviewVersions: versions = [] }: Partial<Webhook>,
  path: FieldPath,
  { needsKnownVersion, errors }: WebhookOptions,
): void {
  if (versions.length === 0) {
    errors.push(required(path, `must specify one of ${reviewVersions.join(', ')}`));
    return;
  }
  for (const [index, version] of versions.entries()) {
    if (versions.indexOf(version) < index) errors.push(invalidValue(path.index(index), version, 'duplicate version'));
    else checkMessages(isDns1035Label(version), version, path.index(index), errors);
  }
  if (needsKnownVersion && !versions.some(isKnownVersion)) {
    errors.push(invalidValue(path, versions, `must include at least one of ${reviewVersions.join(', ')}`));
  }
}
