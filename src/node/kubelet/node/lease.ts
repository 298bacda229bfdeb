import type { Lease, Node } from '#api/generated/types.ts';
import { LEASES } from '#api/generated/resources.ts';
import type { Client } from '#client/client.ts';
import { formatMicroTime, type Timer } from '#machinery/clock/clock.ts';
import { isConflict, isNotFound } from '#machinery/errors/status-error.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';

const NAMESPACE = 'kube-node-lease';
const LEASE_SECONDS = 40;
// A quarter of the lease: three renewals may fail before the node counts as gone.
const RENEW_MS = 10_000;
const RETRY_MS = 1000;

/** The node's heartbeat: a Lease renewed every ten seconds. */
export class NodeLease {
  readonly #deps: { client: Client; executor: Executor; log: Logger; nodeName: string };
  readonly #node: () => Node | undefined;
  #lease: Lease | undefined;
  #timer: Timer | undefined;
  #isStopped = false;
  #renewing: Promise<void> = Promise.resolve();

  constructor(
    deps: { client: Client; executor: Executor; log: Logger; nodeName: string },
    node: () => Node | undefined,
  ) {
    this.#deps = deps;
    this.#node = node;
  }

  start(): void {
    this.#schedule(0);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#renewing;
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return;
    const { executor } = this.#deps;
    this.#timer = executor.clock.setTimeout(
      () => {
        this.#renewing = executor.run('node', () => this.#renew());
      },
      delayMs,
      { unref: true },
    );
  }

  async #renew(): Promise<void> {
    let nextMs = RENEW_MS;
    try {
      await this.#write();
    } catch (error) {
      // Somebody else wrote it or it is gone: start from what is there.
      this.#lease = undefined;
      nextMs = RETRY_MS;
      if (!isConflict(error) && !this.#isStopped) {
        this.#deps.log.warn('cannot renew node lease', { node: this.#deps.nodeName, error: String(error) });
      }
    }
    this.#schedule(nextMs);
  }

  async #write(): Promise<void> {
    const { client, executor, nodeName } = this.#deps;
    const renewTime = formatMicroTime(executor.clock.now());
    this.#lease ??= await this.#read();
    if (this.#lease === undefined) {
      this.#lease = await client.create(LEASES, this.#initial(renewTime));
      return;
    }
    const { metadata, spec } = this.#lease;
    const next: Lease = {
      ...this.#lease,
      metadata: { ...metadata, ...this.#owner(metadata.ownerReferences !== undefined) },
      spec: { ...spec, holderIdentity: nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime },
    };
    this.#lease = await client.update(LEASES, next);
  }

  async #read(): Promise<Lease | undefined> {
    try {
      return await this.#deps.client.get(LEASES, { namespace: NAMESPACE, name: this.#deps.nodeName });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #initial(renewTime: string): Lease {
    const { nodeName } = this.#deps;
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: nodeName, namespace: NAMESPACE, ...this.#owner(false) },
      spec: { holderIdentity: nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime },
    };
  }

  /** The lease goes when its node goes. */
  #owner(hasOwner: boolean): Pick<Lease['metadata'], 'ownerReferences'> {
    const { name, uid } = this.#node()?.metadata ?? {};
    if (hasOwner || name === undefined || uid === undefined) return {};
    return { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }] };
  }
}
