import { NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES } from '#api/generated/resources.ts';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimStatus,
  StorageClass,
} from '#api/generated/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { objectKey } from '#machinery/meta/types.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { OwnWrites } from '../shared/own-writes.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { classOfClaim, classOfVolume } from './matching.ts';
import {
  BETA_STORAGE_PROVISIONER,
  BIND_COMPLETED,
  BOUND_BY_CONTROLLER,
  type ClaimPlan,
  planClaim,
  planVolume,
  SELECTED_NODE,
  STORAGE_PROVISIONER,
  type VolumePlan,
} from './plan.ts';

export const persistentVolumeBinder: ControllerDefinition = {
  name: 'persistentvolume-binder-controller',
  aliases: ['persistentvolume-binder'],
  serviceAccount: 'persistent-volume-binder',
  eventSource: 'persistentvolume-controller',
  run: (context) => new PersistentVolumeBinder(context).run(),
};

/** `--pvclaimbinder-sync-period`: claims that wait are looked at again this often. */
const RESYNC_MS = 15_000;
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';

/** Binds claims to volumes. Keys: `claim/NAMESPACE/NAME`, `volume/NAME`. */
class PersistentVolumeBinder {
  readonly #context: ControllerContext;
  readonly #reconciler: Reconciler;
  readonly #claims;
  readonly #volumes;
  readonly #classes;
  readonly #nodes;
  readonly #ownClaims: OwnWrites<PersistentVolumeClaim>;
  readonly #ownVolumes: OwnWrites<PersistentVolume>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#reconciler = new Reconciler(context);
    const claimChanged = (claim: PersistentVolumeClaim) => this.#claimChanged(claim);
    const volumeChanged = (volume: PersistentVolume) => this.#volumeChanged(volume);
    this.#claims = this.#reconciler.watch(
      PERSISTENT_VOLUME_CLAIMS,
      { onAdd: claimChanged, onUpdate: (_, claim) => claimChanged(claim), onDelete: claimChanged },
      { unboundClass: (claim) => ((claim.spec?.volumeName ?? '') === '' ? [classOfClaim(claim)] : []) },
    );
    this.#volumes = this.#reconciler.watch(
      PERSISTENT_VOLUMES,
      { onAdd: volumeChanged, onUpdate: (_, volume) => volumeChanged(volume), onDelete: volumeChanged },
      { class: (volume) => [classOfVolume(volume)], claim: (volume) => [claimKeyOf(volume) ?? ''] },
    );
    const classChanged = (one: StorageClass) => {
      this.#lookAtUnbound(one.metadata.name ?? '');
      this.#lookAtUnbound('');
    };
    this.#classes = this.#reconciler.watch(STORAGE_CLASSES, {
      onAdd: classChanged,
      onUpdate: (_, one) => classChanged(one),
    });
    this.#nodes = this.#reconciler.watch(NODES);
    const { clock } = context.executor;
    this.#ownClaims = new OwnWrites({ clock, cached: (key) => this.#claims.get(key) });
    this.#ownVolumes = new OwnWrites({ clock, cached: (key) => this.#volumes.get(key) });
  }

  /** One worker, so that two claims never reach for one volume. */
  async run(): Promise<void> {
    await this.#reconciler.run({ workers: 1, reconcile: (key) => this.#reconcile(key) });
  }

  #claimChanged(claim: PersistentVolumeClaim): void {
    const key = objectKey(claim);
    this.#reconciler.add(`claim/${key}`);
    const volumeName = claim.spec?.volumeName ?? '';
    if (volumeName !== '') this.#reconciler.add(`volume/${volumeName}`);
    for (const volume of this.#volumes.byIndex('claim', key)) this.#reconciler.add(`volume/${volume.metadata.name}`);
  }

  #volumeChanged(volume: PersistentVolume): void {
    this.#reconciler.add(`volume/${volume.metadata.name}`);
    const key = claimKeyOf(volume);
    if (key !== undefined) this.#reconciler.add(`claim/${key}`);
    else if (volume.status?.phase === 'Available') this.#lookAtUnbound(classOfVolume(volume));
  }

  #lookAtUnbound(storageClass: string): void {
    for (const claim of this.#claims.byIndex('unboundClass', storageClass)) {
      this.#reconciler.add(`claim/${objectKey(claim)}`);
    }
  }

  #reconcile(key: string): Promise<RequeueInMs> {
    const name = key.slice(key.indexOf('/') + 1);
    return key.startsWith('claim/') ? this.#reconcileClaim(name) : this.#reconcileVolume(name);
  }

  #claim(key: string): PersistentVolumeClaim | undefined {
    const cached = this.#claims.get(key);
    return cached === undefined ? undefined : this.#ownClaims.apply(key, [cached])[0];
  }

  #current(volume: PersistentVolume | undefined): PersistentVolume | undefined {
    return volume === undefined ? undefined : this.#ownVolumes.apply(objectKey(volume), [volume])[0];
  }

  async #reconcileClaim(key: string): Promise<RequeueInMs> {
    const claim = this.#claim(key);
    if (claim === undefined) {
      this.#ownClaims.forget(key);
      return undefined;
    }
    const className = classOfClaim(claim);
    const plan = planClaim({
      claim,
      storageClass: this.#classes.get(className),
      defaultClass: this.#defaultClass(),
      named: this.#current(this.#volumes.get(claim.spec?.volumeName ?? '')),
      volumesOfClass: () =>
        this.#volumes
          .byIndex('class', className)
          .flatMap((volume) => this.#current(volume) ?? [])
          .toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1)),
      node: this.#nodes.get(claim.metadata.annotations?.[SELECTED_NODE] ?? ''),
    });
    await this.#carryOut(claim, plan);
    const isWaiting = plan.type === 'provision' || (plan.type === 'phase' && plan.phase === 'Pending');
    return isWaiting && plan.event !== undefined ? RESYNC_MS : undefined;
  }

  #defaultClass(): StorageClass | undefined {
    return this.#classes
      .list()
      .filter(({ metadata }) => metadata.annotations?.[DEFAULT_CLASS] === 'true')
      .toSorted(newestFirst)[0];
  }

  async #carryOut(claim: PersistentVolumeClaim, plan: ClaimPlan): Promise<void> {
    const { events } = this.#context;
    if (plan.type === 'bind') {
      await this.#bind(claim, plan.volume);
    } else if (plan.type === 'setClass') {
      const { storageClassName } = plan;
      await this.#updateClaim(claim, { ...claim, spec: { ...claim.spec, storageClassName } });
    } else if (plan.type === 'phase') {
      if (plan.event !== undefined) events.event(claim, plan.event);
      await this.#claimStatus(claim, { phase: plan.phase });
    } else {
      const { provisioner } = plan;
      const names = { [STORAGE_PROVISIONER]: provisioner, [BETA_STORAGE_PROVISIONER]: provisioner };
      const annotated = await this.#updateClaim(claim, annotate(claim, names));
      events.event(claim, plan.event);
      await this.#claimStatus(annotated, { phase: 'Pending' });
    }
  }

  /** Four writes, each of which can be the last before a crash: the next look goes on from there. */
  async #bind(claim: PersistentVolumeClaim, chosen: PersistentVolume): Promise<void> {
    let volume = chosen;
    const { name = '', namespace = '', uid = '', resourceVersion = '' } = claim.metadata;
    if (volume.spec?.claimRef?.uid !== uid) {
      const claimRef = { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name, uid, resourceVersion };
      const isOurChoice = volume.spec?.claimRef === undefined;
      const reserved = isOurChoice ? annotate(volume, { [BOUND_BY_CONTROLLER]: 'yes' }) : volume;
      volume = await this.#updateVolume(volume, { ...reserved, spec: { ...volume.spec, claimRef } });
    }
    volume = await this.#volumeStatus(volume, { phase: 'Bound' });
    const isOurChoice = claim.spec?.volumeName !== volume.metadata.name;
    const annotations = { [BIND_COMPLETED]: 'yes', ...(isOurChoice ? { [BOUND_BY_CONTROLLER]: 'yes' } : {}) };
    const volumeName = volume.metadata.name ?? '';
    const next = annotate(claim, annotations);
    const bound = await this.#updateClaim(claim, { ...next, spec: { ...claim.spec, volumeName } });
    const { accessModes = [], capacity = {}, volumeAttributesClassName } = volume.spec ?? {};
    // A claim that is being resized tells its own capacity.
    const isResized = bound.status?.phase === 'Bound' && bound.status.capacity !== undefined;
    await this.#claimStatus(bound, {
      phase: 'Bound',
      accessModes,
      capacity: isResized ? (bound.status?.capacity ?? capacity) : capacity,
      ...(volumeAttributesClassName === undefined
        ? {}
        : { currentVolumeAttributesClassName: volumeAttributesClassName }),
    });
  }

  async #reconcileVolume(name: string): Promise<RequeueInMs> {
    const volume = this.#current(this.#volumes.get(name));
    if (volume === undefined) {
      this.#ownVolumes.forget(name);
      return undefined;
    }
    const key = claimKeyOf(volume);
    const plan: VolumePlan = planVolume(volume, key === undefined ? undefined : this.#claim(key));
    if (plan.type === 'lookAtClaim') this.#reconciler.add(`claim/${key ?? ''}`);
    if (plan.type === 'phase') {
      const { phase, message } = plan;
      if (plan.event !== undefined) this.#context.events.event(volume, plan.event);
      await this.#volumeStatus(volume, { phase, ...(message === undefined ? {} : { message }) });
    }
    if (plan.type === 'unbind') {
      const { claimRef: _, ...spec } = volume.spec ?? {};
      const { [BOUND_BY_CONTROLLER]: __, ...annotations } = volume.metadata.annotations ?? {};
      await this.#updateVolume(volume, { ...volume, metadata: { ...volume.metadata, annotations }, spec });
    }
    return plan.type === 'phase' && plan.phase === 'Released' ? RESYNC_MS : undefined;
  }

  async #updateVolume(before: PersistentVolume, next: PersistentVolume): Promise<PersistentVolume> {
    if (deepEqual(before, next)) return before;
    const updated = await this.#context.client.update(PERSISTENT_VOLUMES, next);
    this.#ownVolumes.updated(objectKey(before), before, updated);
    return updated;
  }

  async #volumeStatus(volume: PersistentVolume, status: PersistentVolume['status']): Promise<PersistentVolume> {
    if (volume.status?.phase === status?.phase && volume.status?.message === status?.message) return volume;
    const lastPhaseTransitionTime = formatTime(this.#context.executor.clock.now());
    const next = { ...volume, status: { ...status, lastPhaseTransitionTime } };
    const updated = await this.#context.client.update(PERSISTENT_VOLUMES, next, { subresource: 'status' });
    this.#ownVolumes.updated(objectKey(volume), volume, updated);
    return updated;
  }

  async #updateClaim(before: PersistentVolumeClaim, next: PersistentVolumeClaim): Promise<PersistentVolumeClaim> {
    if (deepEqual(before, next)) return before;
    const updated = await this.#context.client.update(PERSISTENT_VOLUME_CLAIMS, next);
    this.#ownClaims.updated(objectKey(before), before, updated);
    return updated;
  }

  async #claimStatus(claim: PersistentVolumeClaim, change: PersistentVolumeClaimStatus): Promise<void> {
    const status = { ...claim.status, ...change };
    if (deepEqual(claim.status, status)) return;
    const next = { ...claim, status };
    const updated = await this.#context.client.update(PERSISTENT_VOLUME_CLAIMS, next, { subresource: 'status' });
    this.#ownClaims.updated(objectKey(claim), claim, updated);
  }
}

function claimKeyOf({ spec }: PersistentVolume): string | undefined {
  const reference = spec?.claimRef;
  return reference === undefined ? undefined : `${reference.namespace}/${reference.name}`;
}

function annotate<T extends PersistentVolume | PersistentVolumeClaim>(
  object: T,
  annotations: Readonly<Record<string, string>>,
): T {
  return {
    ...object,
    metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, ...annotations } },
  };
}

function newestFirst(a: StorageClass, b: StorageClass): number {
  const [left = '', right = ''] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  if (left === right) return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
  return left < right ? 1 : -1;
}
