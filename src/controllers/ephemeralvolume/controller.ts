import { isPodTerminal } from '#api/core/v1/pod/conditions.ts';
import { PERSISTENT_VOLUME_CLAIMS, PODS } from '#api/generated/resources.ts';
import type { PersistentVolumeClaim, Pod, Volume } from '#api/generated/types.ts';
import { controllerOf, objectKey } from '#machinery/meta/types.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { errorMessage, isNamespaceTerminating } from '../shared/namespace-terminating.ts';
import { controllerReference } from '../shared/ownership.ts';
import { Reconciler } from '../shared/reconciler.ts';

export const ephemeralVolumeController: ControllerDefinition = {
  name: 'ephemeral-volume-controller',
  aliases: ['ephemeral-volume'],
  serviceAccount: 'ephemeral-volume-controller',
  eventSource: 'ephemeral_volume',
  run,
};

/** Creates the claims of pods' generic ephemeral volumes (KEP-1698). Keys are those of pods. */
async function run(context: ControllerContext): Promise<void> {
  const { client, events } = context;
  const reconciler = new Reconciler(context);
  const added = (pod: Pod) => {
    if (needsClaims(pod)) reconciler.add(objectKey(pod));
  };
  const pods = reconciler.watch(PODS, { onAdd: added });
  const claims = reconciler.watch(PERSISTENT_VOLUME_CLAIMS, {
    onDelete: (claim) => {
      const owner = controllerOf(claim);
      if (owner?.kind === 'Pod') reconciler.add(`${claim.metadata.namespace}/${owner.name}`);
    },
  });

  async function reconcile(key: string): Promise<undefined> {
    const pod = pods.get(key);
    if (pod === undefined || !needsClaims(pod)) return;
    for (const volume of pod.spec.volumes ?? []) {
      const claim = claimOf(pod, volume);
      if (claim === undefined) continue;
      const existing = claims.get(objectKey(claim));
      if (existing !== undefined) {
        if (existing.metadata.ownerReferences?.some(({ uid }) => uid === pod.metadata.uid) === true) continue;
        throw new Error(`PVC ${objectKey(claim)} was not created for pod ${key} (pod is not owner)`);
      }
      try {
        await client.create(PERSISTENT_VOLUME_CLAIMS, claim);
      } catch (error) {
        if (isNamespaceTerminating(error)) return;
        const message = `ephemeral volume ${volume.name}: create PVC ${claim.metadata.name}: ${errorMessage(error)}`;
        events.event(pod, { type: 'Warning', reason: 'FailedBinding', message });
        throw error;
      }
    }
  }

  await reconciler.run({ workers: 2, reconcile });
}

function needsClaims(pod: Pod): boolean {
  const isLeaving = pod.metadata.deletionTimestamp !== undefined || isPodTerminal(pod);
  return !isLeaving && (pod.spec.volumes ?? []).some((volume) => volume.ephemeral !== undefined);
}

function claimOf(pod: Pod, { name, ephemeral }: Volume): PersistentVolumeClaim | undefined {
  const template = ephemeral?.volumeClaimTemplate;
  if (template === undefined) return undefined;
  const { labels, annotations } = template.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: `${pod.metadata.name}-${name}`,
      namespace: pod.metadata.namespace ?? '',
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerReference(pod)],
    },
    spec: template.spec,
  };
}
