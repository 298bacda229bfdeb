import type { ContainerStatus, PodSandboxConfig, PodSandboxStatus } from '../contract.ts';
import { hasLabels } from '../local-runtime.ts';

export interface SandboxEntry {
  status: PodSandboxStatus;
  readonly config: PodSandboxConfig;
}

export interface ContainerEntry {
  status: ContainerStatus;
  readonly sandboxId: string;
}

/** The label by which a kubelet finds the sandboxes and containers of one pod. */
export const UID_LABEL = 'io.kubernetes.pod.uid';

interface PodIds {
  readonly sandboxes: Set<string>;
  readonly containers: Set<string>;
}

/** Sandboxes and containers by id, and by pod uid, so that one pod's listing does not walk all of them. */
export class PodBooks<C extends ContainerEntry> {
  readonly #sandboxes = new Map<string, SandboxEntry>();
  readonly #containers = new Map<string, C>();
  readonly #byPod = new Map<string, PodIds>();

  sandbox(id: string): SandboxEntry | undefined {
    return this.#sandboxes.get(id);
  }

  container(id: string): C | undefined {
    return this.#containers.get(id);
  }

  addSandbox(entry: SandboxEntry): void {
    const { id, metadata } = entry.status;
    this.#sandboxes.set(id, entry);
    this.#ofPod(metadata.uid).sandboxes.add(id);
  }

  addContainer(entry: C): void {
    this.#containers.set(entry.status.id, entry);
    this.#ofPod(this.#podOf(entry)).containers.add(entry.status.id);
  }

  removeSandbox({ status }: SandboxEntry): void {
    this.#sandboxes.delete(status.id);
    this.#byPod.get(status.metadata.uid)?.sandboxes.delete(status.id);
    this.#forgetIfEmpty(status.metadata.uid);
  }

  removeContainer(entry: C): void {
    const uid = this.#podOf(entry);
    this.#containers.delete(entry.status.id);
    this.#byPod.get(uid)?.containers.delete(entry.status.id);
    this.#forgetIfEmpty(uid);
  }

  sandboxes(labels: Record<string, string> = {}): SandboxEntry[] {
    const uid = labels[UID_LABEL];
    const all =
      uid === undefined
        ? [...this.#sandboxes.values()]
        : [...(this.#byPod.get(uid)?.sandboxes ?? [])].flatMap((id) => this.#sandboxes.get(id) ?? []);
    return all.filter(({ status }) => hasLabels(status.labels, labels));
  }

  containers(labels: Record<string, string> = {}): C[] {
    const uid = labels[UID_LABEL];
    const all =
      uid === undefined
        ? [...this.#containers.values()]
        : [...(this.#byPod.get(uid)?.containers ?? [])].flatMap((id) => this.#containers.get(id) ?? []);
    return all.filter(({ status }) => hasLabels(status.labels, labels));
  }

  containersIn(sandboxId: string): C[] {
    const uid = this.#sandboxes.get(sandboxId)?.status.metadata.uid ?? '';
    return [...(this.#byPod.get(uid)?.containers ?? [])]
      .flatMap((id) => this.#containers.get(id) ?? [])
      .filter((entry) => entry.sandboxId === sandboxId);
  }

  #podOf(entry: C): string {
    return this.#sandboxes.get(entry.sandboxId)?.status.metadata.uid ?? entry.status.labels[UID_LABEL] ?? '';
  }

  #ofPod(uid: string): PodIds {
    let ids = this.#byPod.get(uid);
    if (ids === undefined) {
      ids = { sandboxes: new Set(), containers: new Set() };
      this.#byPod.set(uid, ids);
    }
    return ids;
  }

  #forgetIfEmpty(uid: string): void {
    const ids = this.#byPod.get(uid);
    if (ids?.sandboxes.size === 0 && ids.containers.size === 0) this.#byPod.delete(uid);
  }
}
