import { PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS } from '#api/generated/resources.ts';
import type { ControllerRevision, Pod, StatefulSet } from '#api/generated/types.ts';
import type { Informer } from '#client/informer/informer.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { isAlreadyExists, isNotFound } from '#machinery/errors/status-error.ts';
import { controllerOf, objectKey } from '#machinery/meta/types.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { claimObjects } from '../shared/claim.ts';
import { templateOfRevision } from '../shared/controller-revisions.ts';
import { errorMessage, isNamespaceTerminating } from '../shared/namespace-terminating.ts';
import { OwnWrites } from '../shared/own-writes.ts';
import { controllerIndex, orphanIndexValue } from '../shared/ownership.ts';
import { namespaceIndex, Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { RevisionHistory } from '../shared/revision-history.ts';
import { claimsOfOrdinal, ordinalOf, podOfOrdinal, revisionOf } from './identity.ts';
import { nextAvailableMs, planStatefulSet, type StatefulAction, statefulStatus } from './plan.ts';

export const statefulSetController: ControllerDefinition = {
  name: 'statefulset-controller',
  aliases: ['statefulset'],
  serviceAccount: 'statefulset-controller',
  eventSource: 'statefulset-controller',
  run: (context) => new StatefulSetController(context).run(),
};

interface Work {
  readonly key: string;
  readonly set: StatefulSet;
  readonly revisions: readonly ControllerRevision[];
}

/** Keeps pods with names and volumes of their own. Keys are those of sets. */
class StatefulSetController {
  readonly #context: ControllerContext;
  readonly #reconciler: Reconciler;
  readonly #sets: Informer<StatefulSet>;
  readonly #pods: Informer<Pod>;
  readonly #claims;
  readonly #history: RevisionHistory<StatefulSet>;
  readonly #ownSets: OwnWrites<StatefulSet>;
  readonly #ownPods: OwnWrites<Pod>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#reconciler = new Reconciler(context);
    const enqueue = (set: StatefulSet) => this.#reconciler.add(objectKey(set));
    this.#sets = this.#reconciler.watch(
      STATEFUL_SETS,
      { onAdd: enqueue, onUpdate: (_, set) => enqueue(set), onDelete: enqueue },
      { namespace: namespaceIndex },
    );
    this.#pods = this.#reconciler.watch(
      PODS,
      {
        onAdd: (pod) => this.#podChanged(pod),
        onUpdate: (before, pod) => {
          if (controllerOf(before)?.uid !== controllerOf(pod)?.uid) this.#podChanged(before);
          this.#podChanged(pod);
        },
        onDelete: (pod) => this.#podChanged(pod),
      },
      { controller: controllerIndex },
    );
    this.#claims = this.#reconciler.watch(PERSISTENT_VOLUME_CLAIMS);
    this.#history = new RevisionHistory(context, this.#reconciler, STATEFUL_SETS);
    const { clock } = context.executor;
    this.#ownSets = new OwnWrites({ clock, cached: (key) => this.#sets.get(key) });
    this.#ownPods = new OwnWrites({ clock, cached: (key) => this.#pods.get(key) });
  }

  async run(): Promise<void> {
    await this.#reconciler.run({ workers: 5, reconcile: (key) => this.#reconcile(key) });
  }

  #podChanged(pod: Pod): void {
    const namespace = pod.metadata.namespace ?? '';
    const controller = controllerOf(pod);
    if (controller !== undefined) {
      if (controller.kind !== 'StatefulSet') return;
      const key = `${namespace}/${controller.name}`;
      this.#ownPods.observed(key, pod);
      this.#reconciler.add(key);
      return;
    }
    for (const set of this.#sets.byIndex('namespace', namespace)) {
      if (compileLabelSelector(set.spec.selector).matches(pod.metadata.labels)) this.#reconciler.add(objectKey(set));
    }
  }

  async #reconcile(key: string): Promise<RequeueInMs> {
    const cached = this.#sets.get(key);
    if (cached === undefined) {
      this.#ownSets.forget(key);
      this.#ownPods.forget(key);
      this.#history.forget(key);
      return undefined;
    }
    const [set = cached] = this.#ownSets.apply(key, [cached]);
    const selector = compileLabelSelector(set.spec.selector);
    const claimed = await claimObjects({
      client: this.#context.client,
      ownerResource: STATEFUL_SETS,
      owner: set,
      resource: PODS,
      candidates: [
        ...this.#pods.byIndex('controller', set.metadata.uid ?? ''),
        ...this.#pods.byIndex('controller', orphanIndexValue(set.metadata.namespace ?? '')),
      ],
      matches: (pod) => selector.matches(pod.metadata.labels) && ordinalOf(set, pod) !== undefined,
    });
    const collisionCount = set.status?.collisionCount ?? 0;
    const { template, selector: labels } = set.spec;
    const history = await this.#history.current({ key, owner: set, template, selector: labels, collisionCount });
    const updateRevision = history.current.metadata.name ?? '';
    const known = history.all.some(({ metadata }) => metadata.name === set.status?.currentRevision);
    const currentRevision = known ? (set.status?.currentRevision ?? '') : updateRevision;
    const nowMs = this.#context.executor.clock.now();
    const revisions = { currentRevision, updateRevision };
    const input = { set, pods: this.#ownPods.apply(key, claimed), ...revisions, nowMs };
    const error = await this.#carryOut({ key, set, revisions: history.all }, planStatefulSet(input));
    const after = { ...input, pods: this.#ownPods.apply(key, claimed), collisionCount };
    await this.#writeStatus(key, set, statefulStatus(after));
    const inUse = new Set([currentRevision, updateRevision, ...after.pods.map((pod) => revisionOf(pod))]);
    await this.#history.truncate(key, { all: history.all, inUse, limit: set.spec.revisionHistoryLimit ?? 10 });
    if (error !== undefined && !isNamespaceTerminating(error)) throw error;
    return nextAvailableMs(after) ?? this.#ownPods.forgottenInMs(key);
  }

  /** The first failure, after which nothing more is tried. */
  async #carryOut(work: Work, actions: readonly StatefulAction[]): Promise<unknown> {
    try {
      for (const action of actions) {
        if (action.type === 'create') await this.#createPod(work, action);
        else await this.#deletePod(work, action);
      }
      return undefined;
    } catch (error) {
      return error;
    }
  }

  async #createPod({ key, set, revisions }: Work, action: { ordinal: number; revision: string }): Promise<void> {
    const { client, events } = this.#context;
    const { ordinal, revision } = action;
    const kept = revisions.find(({ metadata }) => metadata.name === revision);
    const template = (kept === undefined ? undefined : templateOfRevision(kept)) ?? set.spec.template;
    const pod = podOfOrdinal(set, { ordinal, revision, template });
    const what = `Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name}`;
    try {
      await this.#createClaims(set, ordinal, what);
      const created = await client.create(PODS, pod);
      this.#ownPods.created(key, created);
      events.event(set, { type: 'Normal', reason: 'SuccessfulCreate', message: `create ${what} successful` });
    } catch (error) {
      if (!isNamespaceTerminating(error)) {
        const message = `create ${what} failed error: ${errorMessage(error)}`;
        events.event(set, { type: 'Warning', reason: 'FailedCreate', message });
      }
      throw error;
    }
  }

  async #createClaims(set: StatefulSet, ordinal: number, what: string): Promise<void> {
    for (const { object } of claimsOfOrdinal(set, ordinal)) {
      const existing = this.#claims.get(objectKey(object));
      if (existing?.metadata.deletionTimestamp !== undefined) {
        throw new Error(`pvc ${object.metadata.name} is being deleted`);
      }
      if (existing !== undefined) continue;
      try {
        await this.#context.client.create(PERSISTENT_VOLUME_CLAIMS, object);
        const message = `create Claim ${object.metadata.name} ${what} success`;
        this.#context.events.event(set, { type: 'Normal', reason: 'SuccessfulCreate', message });
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
      }
    }
  }

  async #deletePod(
    { key, set }: Work,
    { pod, cause }: { pod: Pod; cause: 'failed' | 'succeeded' | 'condemned' | 'update' },
  ): Promise<void> {
    const { client, events } = this.#context;
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    if (cause === 'failed' || cause === 'succeeded') {
      const [reason, word] =
        cause === 'failed' ? ['RecreatingFailedPod', 'failed'] : ['RecreatingTerminatedPod', 'terminated'];
      const message = `StatefulSet ${objectKey(set)} is recreating ${word} Pod ${name}`;
      events.event(set, { type: cause === 'failed' ? 'Warning' : 'Normal', reason, message });
    }
    if (cause === 'condemned' && set.spec.persistentVolumeClaimRetentionPolicy?.whenScaled === 'Delete') {
      await this.#giveClaimsToPod(set, pod);
    }
    const what = `delete Pod ${name} in StatefulSet ${set.metadata.name}`;
    try {
      await client.delete(PODS, { name, namespace }, { preconditions: { uid } });
      events.event(set, { type: 'Normal', reason: 'SuccessfulDelete', message: `${what} successful` });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    // Stays in view while it terminates: its ordinal is taken until it is gone.
    const deletionTimestamp = pod.metadata.deletionTimestamp ?? pod.metadata.creationTimestamp ?? '';
    this.#ownPods.updated(key, pod, {
      ...pod,
      metadata: { ...pod.metadata, deletionTimestamp, resourceVersion: `${pod.metadata.resourceVersion}-deleted` },
    });
  }

  /** The claims go with the pod: the garbage collector removes what it owns. */
  async #giveClaimsToPod(set: StatefulSet, pod: Pod): Promise<void> {
    for (const { object } of claimsOfOrdinal(set, ordinalOf(set, pod) ?? 0)) {
      const claim = this.#claims.get(objectKey(object));
      if (claim === undefined) continue;
      const { name = '', uid = '' } = pod.metadata;
      const others = (claim.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== set.metadata.uid);
      const ownerReferences = [...others, { apiVersion: 'v1', kind: 'Pod', name, uid }];
      const next = { ...claim, metadata: { ...claim.metadata, ownerReferences } };
      await this.#context.client.update(PERSISTENT_VOLUME_CLAIMS, next);
    }
  }

  async #writeStatus(key: string, set: StatefulSet, status: NonNullable<StatefulSet['status']>): Promise<void> {
    if (deepEqual(set.status ?? {}, status)) return;
    const updated = await this.#context.client.update(STATEFUL_SETS, { ...set, status }, { subresource: 'status' });
    this.#ownSets.updated(key, set, updated);
  }
}
