import {
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  VOLUME_ATTRIBUTES_CLASSES,
} from '#api/generated/resources.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, VolumeAttributesClass } from '#api/generated/types.ts';
import { type KubeObject, objectKey } from '#machinery/meta/types.ts';
import type { ResourceType } from '#client/client.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { Reconciler } from '../shared/reconciler.ts';
import { claimsOf, type Guard, isClaimInUse, isVolumeInUse, planFinalizers } from './plan.ts';

export const volumeProtectionController: ControllerDefinition = {
  name: 'persistentvolume-protection-controller',
  aliases: ['pv-protection'],
  serviceAccount: 'pv-protection-controller',
  eventSource: 'persistentvolume-protection-controller',
  run: protectVolumes,
};

export const claimProtectionController: ControllerDefinition = {
  name: 'persistentvolumeclaim-protection-controller',
  aliases: ['pvc-protection'],
  serviceAccount: 'pvc-protection-controller',
  eventSource: 'persistentvolumeclaim-protection-controller',
  run: protectClaims,
};

export const attributesClassProtectionController: ControllerDefinition = {
  name: 'volumeattributesclass-protection-controller',
  aliases: [],
  serviceAccount: 'volumeattributesclass-protection-controller',
  eventSource: 'volumeattributesclass-protection-controller',
  run: protectAttributesClasses,
};

interface Change<T extends KubeObject> {
  readonly resource: ResourceType<T>;
  readonly object: T;
  readonly guard: Guard;
  readonly isInUse: () => boolean;
}

async function guardObject<T extends KubeObject>(context: ControllerContext, change: Change<T>): Promise<void> {
  const { resource, object } = change;
  const finalizers = planFinalizers(object, change.guard, change.isInUse);
  if (finalizers === undefined) return;
  await context.client.update(resource, { ...object, metadata: { ...object.metadata, finalizers } });
}

/** Lets a deleted volume go once it is not bound. Keys are names of volumes. */
async function protectVolumes(context: ControllerContext): Promise<void> {
  const reconciler = new Reconciler(context);
  const changed = (volume: PersistentVolume) => reconciler.add(objectKey(volume));
  const volumes = reconciler.watch(PERSISTENT_VOLUMES, { onAdd: changed, onUpdate: (_, volume) => changed(volume) });

  async function reconcile(key: string): Promise<undefined> {
    const object = volumes.get(key);
    if (object === undefined) return;
    const isInUse = () => isVolumeInUse(object);
    await guardObject(context, { resource: PERSISTENT_VOLUMES, object, guard: 'kubernetes.io/pv-protection', isInUse });
  }

  await reconciler.run({ workers: 1, reconcile });
}

/** Lets a deleted claim go once no pod uses it. Keys are those of claims. */
async function protectClaims(context: ControllerContext): Promise<void> {
  const reconciler = new Reconciler(context);
  const changed = (claim: PersistentVolumeClaim) => reconciler.add(objectKey(claim));
  const claims = reconciler.watch(PERSISTENT_VOLUME_CLAIMS, { onAdd: changed, onUpdate: (_, claim) => changed(claim) });
  const podChanged = (pod: Pod) => {
    for (const name of claimsOf(pod)) reconciler.add(`${pod.metadata.namespace}/${name}`);
  };
  const pods = reconciler.watch(
    PODS,
    { onUpdate: (_, pod) => podChanged(pod), onDelete: podChanged },
    { claim: (pod) => claimsOf(pod).map((name) => `${pod.metadata.namespace}/${name}`) },
  );

  async function reconcile(key: string): Promise<undefined> {
    const object = claims.get(key);
    if (object === undefined) return;
    const { name: _, namespace = '' } = object.metadata;
    let isInUse = isClaimInUse(object, pods.byIndex('claim', key));
    if (object.metadata.deletionTimestamp !== undefined && !isInUse) {
      // The cache may lag behind a pod that was just bound, so the last word is the server's.
      isInUse = isClaimInUse(object, (await context.client.list(PODS, { namespace })).items);
    }
    await guardObject(context, {
      resource: PERSISTENT_VOLUME_CLAIMS,
      object,
      guard: 'kubernetes.io/pvc-protection',
      isInUse: () => isInUse,
    });
  }

  await reconciler.run({ workers: 1, reconcile });
}

/** Lets a deleted class go once no claim or volume names it. Keys are names of classes. */
async function protectAttributesClasses(context: ControllerContext): Promise<void> {
  const reconciler = new Reconciler(context);
  const changed = (one: VolumeAttributesClass) => reconciler.add(objectKey(one));
  const classes = reconciler.watch(VOLUME_ATTRIBUTES_CLASSES, {
    onAdd: changed,
    onUpdate: (_, one) => changed(one),
  });
  const look = (names: readonly string[]) => {
    for (const name of names) reconciler.add(name);
  };
  const claims = reconciler.watch(
    PERSISTENT_VOLUME_CLAIMS,
    { onUpdate: (before) => look(classesOfClaim(before)), onDelete: (claim) => look(classesOfClaim(claim)) },
    { attributesClass: classesOfClaim },
  );
  const volumes = reconciler.watch(
    PERSISTENT_VOLUMES,
    { onUpdate: (before) => look(classesOfVolume(before)), onDelete: (volume) => look(classesOfVolume(volume)) },
    { attributesClass: classesOfVolume },
  );

  async function reconcile(key: string): Promise<undefined> {
    const object = classes.get(key);
    if (object === undefined) return;
    await guardObject(context, {
      resource: VOLUME_ATTRIBUTES_CLASSES,
      object,
      guard: 'kubernetes.io/vac-protection',
      isInUse: () =>
        claims.byIndex('attributesClass', key).length > 0 || volumes.byIndex('attributesClass', key).length > 0,
    });
  }

  await reconciler.run({ workers: 1, reconcile });
}

function classesOfClaim({ spec, status }: PersistentVolumeClaim): string[] {
  const names = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return [...new Set(names.filter((name): name is string => name !== undefined && name !== ''))];
}

function classesOfVolume({ spec }: PersistentVolume): string[] {
  const name = spec?.volumeAttributesClassName ?? '';
  return name === '' ? [] : [name];
}
