import type { AdmissionPlugin, Authorizer } from '../pipeline/types.ts';
import type { ServerParts } from '../server-parts.ts';
import type { WebhookClient } from '../webhook/webhook-client.ts';
import type { AdmissionDeps } from './plugin.ts';
import { mutatingAdmissionPolicies } from './policy/mutating-policies.ts';
import { validatingAdmissionPolicies } from './policy/validating-policies.ts';
import { mutatingAdmissionWebhooks } from './webhook/mutating-webhooks.ts';
import { validatingAdmissionWebhooks } from './webhook/validating-webhooks.ts';

/** The plugins whose rules are objects of the cluster: policies, then webhooks, as upstream orders them. */
export function dynamicAdmissionPlugins(
  parts: Pick<ServerParts, 'registry' | 'schemas' | 'convertCustom'>,
  tools: AdmissionDeps & {
    readonly authorizer: Authorizer;
    readonly webhooks: WebhookClient;
    /** The plugins before these. */
    readonly earlier: readonly AdmissionPlugin[];
  },
): AdmissionPlugin[] {
  const { registry, schemas } = parts;
  const { view, random, clock, authorizer, webhooks, earlier } = tools;
  const policyDeps = { view, random, clock, registry, schemas, authorizer };
  const webhookDeps = {
    view,
    registry,
    schemas,
    authorizer,
    webhooks,
    convertCustom: parts.convertCustom.bind(parts),
    uuid: () => random.uuid(),
    now: () => clock.monotonic(),
  };
  const mutatingPolicies = { ...mutatingAdmissionPolicies(policyDeps), seesEverything: true };
  return [
    mutatingPolicies,
    mutatingAdmissionWebhooks({ ...webhookDeps, earlier: [...earlier, mutatingPolicies] }),
    { ...validatingAdmissionPolicies(policyDeps), seesEverything: true },
    validatingAdmissionWebhooks(webhookDeps),
  ];
}
