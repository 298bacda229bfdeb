import { ENDPOINT_SLICES } from '#api/generated/resources.ts';
import type { EndpointSlice } from '#api/generated/types.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import type { Client } from '#client/client.ts';
import type { ControllerContext } from '../controller.ts';
import { OwnWrites } from './own-writes.ts';
import type { Reconciler } from './reconciler.ts';

export const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** What to do about the slices of one service. */
export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly { readonly stored: EndpointSlice; readonly next: EndpointSlice }[];
  readonly delete: readonly EndpointSlice[];
}

/** The EndpointSlices that one controller manages, by the key of the service that each belongs to. */
export class ManagedSlices {
  readonly #client: Client;
  readonly #own: OwnWrites<EndpointSlice>;
  readonly #byService: (key: string) => readonly EndpointSlice[];

  /** Watches the slices; a change of one that `manager` made puts its service into the reconciler's queue. */
  constructor(manager: string, { context, reconciler }: { context: ControllerContext; reconciler: Reconciler }) {
    this.#client = context.client;
    const changed = (slice: EndpointSlice) => {
      const key = serviceKeyOf(slice, manager);
      if (key === undefined) return;
      this.#own.observed(key, slice);
      reconciler.add(key);
    };
    const slices = reconciler.watch(
      ENDPOINT_SLICES,
      { onAdd: changed, onUpdate: (_, slice) => changed(slice), onDelete: changed },
      { [manager]: (slice) => [serviceKeyOf(slice, manager) ?? ''] },
    );
    this.#own = new OwnWrites({ clock: context.executor.clock, cached: (key) => slices.get(key) });
    this.#byService = (key) => slices.byIndex(manager, key);
  }

  /** As they are after everything that was written here, whether the watch has shown it or not. */
  of(key: string): readonly EndpointSlice[] {
    return this.#own.apply(key, this.#byService(key));
  }

  async carryOut(key: string, plan: SlicePlan): Promise<void> {
    for (const slice of plan.create) this.#own.created(key, await this.#client.create(ENDPOINT_SLICES, slice));
    for (const { stored, next } of plan.update) {
      this.#own.updated(key, stored, await this.#client.update(ENDPOINT_SLICES, next));
    }
    for (const slice of plan.delete) await this.#remove(key, slice);
  }

  /** The service is gone. */
  async removeAll(key: string): Promise<void> {
    this.#own.forget(key);
    for (const slice of this.#byService(key)) await this.#remove(key, slice);
  }

  /** When to look again at what was written here and never seen. */
  forgottenInMs(key: string): number | undefined {
    return this.#own.forgottenInMs(key);
  }

  async #remove(key: string, slice: EndpointSlice): Promise<void> {
    const { name = '', namespace = '', uid = '' } = slice.metadata;
    try {
      await this.#client.delete(ENDPOINT_SLICES, { name, namespace }, { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    this.#own.deleted(key, slice);
  }
}

/** The service that a slice of this manager belongs to; slices of others are none of its business. */
function serviceKeyOf(slice: EndpointSlice, manager: string): string | undefined {
  const labels = slice.metadata.labels ?? {};
  const service = labels[SERVICE_NAME_LABEL];
  if (labels[MANAGED_BY_LABEL] !== manager || service === undefined) return undefined;
  return `${slice.metadata.namespace ?? ''}/${service}`;
}
