import type { Deployment, ReplicaSet } from '#api/generated/types.ts';
import { controllerReference } from '../shared/ownership.ts';
import { byCreation, type ReplicaSetDraft } from './draft.ts';
import type { Generations } from './scaling.ts';
import { isSameTemplate, POD_TEMPLATE_HASH_LABEL, podTemplateHash } from '../shared/template-hash.ts';

/** Names may have 253 characters; the hash and its dash take part of them. */
const NAME_LENGTH_MAX = 253;

/** Splits a Deployment's sets: the oldest one with the current template is the new set, all others are old. */
export function sortGenerations(deployment: Deployment, drafts: readonly ReplicaSetDraft[]): Generations {
  const ordered = drafts.toSorted(byCreation);
  const newSet = ordered.find((draft) => isSameTemplate(draft.stored.spec.template, deployment.spec.template));
  return { deployment, newSet, oldSets: ordered.filter((draft) => draft !== newSet) };
}

/** The ReplicaSet for the Deployment's current template, without replicas. */
export function newReplicaSet(deployment: Deployment): ReplicaSet {
  const template = deployment.spec.template;
  const hash = podTemplateHash(template, deployment.status?.collisionCount);
  const labels = { ...template.metadata?.labels, [POD_TEMPLATE_HASH_LABEL]: hash };
  const selector = deployment.spec.selector;
  const prefix = (deployment.metadata.name ?? '').slice(0, NAME_LENGTH_MAX - hash.length - 1);
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${prefix}-${hash}`,
      namespace: deployment.metadata.namespace ?? '',
      labels,
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas: 0,
      ...(deployment.spec.minReadySeconds === undefined ? {} : { minReadySeconds: deployment.spec.minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [POD_TEMPLATE_HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}
