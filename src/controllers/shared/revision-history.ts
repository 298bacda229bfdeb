import { CONTROLLER_REVISIONS } from '#api/generated/resources.ts';
import type { ControllerRevision, PodTemplateSpec } from '#api/generated/types.ts';
import type { ResourceType } from '#client/client.ts';
import type { Informer } from '#client/informer/informer.ts';
import { isAlreadyExists, isNotFound } from '#machinery/errors/status-error.ts';
import { controllerOf, type KubeObject, type LabelSelector } from '#machinery/meta/types.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import type { ControllerContext } from '../controller.ts';
import { claimObjects } from './claim.ts';
import { byRevision, newRevision, templateOfRevision } from './controller-revisions.ts';
import { OwnWrites } from './own-writes.ts';
import { controllerIndex, orphanIndexValue } from './ownership.ts';
import { namespaceIndex, type Reconciler } from './reconciler.ts';
import { isSameTemplate } from './template-hash.ts';

interface Workload<T extends KubeObject> {
  readonly key: string;
  readonly owner: T;
  readonly template: PodTemplateSpec;
  readonly selector: LabelSelector;
  readonly collisionCount: number;
}

/** Keeps the templates that a workload has had as ControllerRevisions. */
export class RevisionHistory<T extends KubeObject> {
  readonly #context: ControllerContext;
  readonly #resource: ResourceType<T>;
  readonly #revisions: Informer<ControllerRevision>;
  readonly #own: OwnWrites<ControllerRevision>;

  constructor(context: ControllerContext, reconciler: Reconciler, resource: ResourceType<T>) {
    this.#context = context;
    this.#resource = resource;
    const changed = (revision: ControllerRevision) => {
      const controller = controllerOf(revision);
      if (controller?.kind !== resource.kind) return;
      const key = `${revision.metadata.namespace}/${controller.name}`;
      this.#own.observed(key, revision);
      reconciler.add(key);
    };
    this.#revisions = reconciler.watch(
      CONTROLLER_REVISIONS,
      { onAdd: changed, onUpdate: (_, revision) => changed(revision), onDelete: changed },
      { controller: controllerIndex, namespace: namespaceIndex },
    );
    const { clock } = context.executor;
    this.#own = new OwnWrites({ clock, cached: (key) => this.#revisions.get(key) });
  }

  forget(key: string): void {
    this.#own.forget(key);
  }

  /** All revisions in order, the one of the current template last; creates or renumbers that one where needed. */
  async current(workload: Workload<T>): Promise<{ all: ControllerRevision[]; current: ControllerRevision }> {
    const { key, owner, template } = workload;
    const matcher = compileLabelSelector(workload.selector);
    const claimed = await claimObjects({
      client: this.#context.client,
      ownerResource: this.#resource,
      owner,
      resource: CONTROLLER_REVISIONS,
      candidates: [
        ...this.#revisions.byIndex('controller', owner.metadata.uid ?? ''),
        ...this.#revisions.byIndex('controller', orphanIndexValue(owner.metadata.namespace ?? '')),
      ],
      matches: (revision) => matcher.matches(revision.metadata.labels),
    });
    const all = this.#own.apply(key, claimed).toSorted(byRevision);
    const equal = all.findLast((revision) => isSameTemplate(templateOfRevision(revision), template));
    const next = (all.at(-1)?.revision ?? 0) + 1;
    if (equal === undefined) {
      const created = await this.#create(workload, next);
      return { all: [...all, created], current: created };
    }
    if (equal === all.at(-1)) return { all, current: equal };
    const updated = await this.#context.client.update(CONTROLLER_REVISIONS, { ...equal, revision: next });
    this.#own.updated(key, equal, updated);
    return { all: [...all.filter((revision) => revision !== equal), updated], current: updated };
  }

  async #create({ key, owner, template, selector, collisionCount }: Workload<T>, revision: number) {
    const labels = { ...template.metadata?.labels, ...selector.matchLabels };
    for (let collisions = collisionCount; ; collisions++) {
      const wanted = newRevision(owner, { template, labels, revision, collisionCount: collisions });
      try {
        const created = await this.#context.client.create(CONTROLLER_REVISIONS, wanted);
        this.#own.created(key, created);
        return created;
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        const { name = '', namespace = '' } = wanted.metadata;
        const existing = await this.#context.client.get(CONTROLLER_REVISIONS, { name, namespace });
        const isOurs = controllerOf(existing)?.uid === owner.metadata.uid;
        if (isOurs && isSameTemplate(templateOfRevision(existing), template)) return existing;
        // Another template with the same hash: the next count gives another one.
      }
    }
  }

  /** Deletes the oldest revisions that nothing uses any more, beyond the limit. */
  async truncate(
    key: string,
    options: { all: readonly ControllerRevision[]; inUse: ReadonlySet<string>; limit: number },
  ): Promise<void> {
    const idle = options.all.filter((revision) => !options.inUse.has(revision.metadata.name ?? ''));
    for (const revision of idle.slice(0, Math.max(0, idle.length - options.limit))) {
      const { name = '', namespace = '' } = revision.metadata;
      try {
        await this.#context.client.delete(CONTROLLER_REVISIONS, { name, namespace });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
      this.#own.deleted(key, revision);
    }
  }
}
