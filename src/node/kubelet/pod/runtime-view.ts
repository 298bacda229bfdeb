import type { ContainerStatus } from '../../runtime/contract.ts';
import { readTail } from '../logs/tail.ts';
import { containerFacts, POD_UID_LABEL } from './labels.ts';
import type { PodServices } from './services.ts';
import { containerView, type PodView } from './view.ts';

const MESSAGE_BYTES_MAX = 4096;
const FALLBACK_LOG_BYTES_MAX = 2048;
const FALLBACK_LOG_LINES_MAX = 80;

type Services = Pick<PodServices, 'runtime' | 'host' | 'log'>;

/** Reads what the runtime knows of one pod. Keeps the termination messages it has read: they never change. */
export class RuntimeViewReader {
  readonly #services: Services;
  readonly #uid: string;
  /** By container id; entries go with the containers. */
  #messages = new Map<string, string>();

  constructor(services: Services, uid: string) {
    this.#services = services;
    this.#uid = uid;
  }

  async read(): Promise<PodView> {
    const { runtime } = this.#services;
    const labels = { [POD_UID_LABEL]: this.#uid };
    const [sandboxes, containers] = await Promise.all([
      runtime.listPodSandboxes({ labels }),
      runtime.listContainers({ labels }),
    ]);
    const sandboxStatuses = await Promise.all(sandboxes.map((one) => runtime.podSandboxStatus(one.id)));
    const statuses = await Promise.all(containers.map((one) => runtime.containerStatus(one.id)));
    const views = [];
    const messages = new Map<string, string>();
    for (const status of statuses) {
      // Removed between the two calls.
      if (status === undefined) continue;
      const message = status.state === 'EXITED' ? (this.#messages.get(status.id) ?? (await this.#message(status))) : '';
      if (status.state === 'EXITED') messages.set(status.id, message);
      views.push(containerView(status, message));
    }
    this.#messages = messages;
    const ordered = sandboxStatuses
      .filter((one) => one !== undefined)
      .sort((left, right) => right.createdAtMs - left.createdAtMs || right.metadata.attempt - left.metadata.attempt);
    const newest = ordered[0];
    const ips = newest?.state === 'READY' && newest.ip !== undefined ? [newest.ip, ...newest.additionalIps] : [];
    return {
      sandboxes: ordered,
      containers: views.sort(
        (left, right) => right.createdAtMs - left.createdAtMs || right.restartCount - left.restartCount,
      ),
      ips: ips.filter((ip) => ip !== ''),
    };
  }

  /** What the container left as its last words: its message file, else the end of its log where the policy says so. */
  async #message(status: ContainerStatus): Promise<string> {
    const { terminationMessagePath: path, terminationMessagePolicy: policy } = containerFacts(status);
    const mount = path === '' ? undefined : status.mounts.find((one) => one.containerPath === path);
    const text = mount === undefined ? '' : await this.#read(mount.hostPath);
    if (text !== '' || policy !== 'FallbackToLogsOnError' || status.exitCode === 0 || status.logPath === '')
      return text;
    const limits = { lines: FALLBACK_LOG_LINES_MAX, bytes: FALLBACK_LOG_BYTES_MAX };
    return readTail(this.#services.host.files, status.logPath, limits);
  }

  async #read(path: string): Promise<string> {
    try {
      const data = await this.#services.host.files.read(path);
      return Buffer.from(data.subarray(0, MESSAGE_BYTES_MAX)).toString();
    } catch (error) {
      return `Error on reading termination log ${path}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
}
