import type { ControllerRevision, PodTemplateSpec } from '#api/generated/types.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { controllerReference } from './ownership.ts';
import { podTemplateHash } from './template-hash.ts';

export const REVISION_HASH_LABEL = 'controller-revision-hash';

/** What a revision keeps: a strategic patch that gives a workload this template again. */
export function revisionData(template: PodTemplateSpec): Record<string, unknown> {
  return { spec: { template: { ...template, $patch: 'replace' } } };
}

/** The template that a revision keeps. */
export function templateOfRevision(revision: ControllerRevision): PodTemplateSpec | undefined {
  // Safe: only revisions that this controller owns are read; a strange one compares unequal.
  const data = revision.data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } } | undefined;
  const template = data?.spec?.template;
  if (template === undefined) return undefined;
  const { $patch: _, ...rest } = template;
  return rest;
}

/** A new revision of a workload's template. */
export function newRevision(
  owner: KubeObject,
  options: {
    readonly template: PodTemplateSpec;
    readonly labels: Readonly<Record<string, string>>;
    readonly revision: number;
    readonly collisionCount: number;
  },
): ControllerRevision {
  const { template, labels, revision, collisionCount } = options;
  const hash = podTemplateHash(template, collisionCount === 0 ? undefined : collisionCount);
  const { annotations } = owner.metadata;
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${(owner.metadata.name ?? '').slice(0, 223)}-${hash}`,
      namespace: owner.metadata.namespace ?? '',
      labels: { ...labels, [REVISION_HASH_LABEL]: hash },
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerReference(owner)],
    },
    data: revisionData(template),
    revision,
  };
}

export function byRevision(a: ControllerRevision, b: ControllerRevision): number {
  if (a.revision !== b.revision) return a.revision - b.revision;
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
}
