import type { Duplex } from 'node:stream';

import type { Clock } from '#machinery/clock/clock.ts';
import { openPortForward, openRemoteCommand } from '#net/remotecommand/client.ts';

import type {
  Container,
  ContainerConfig,
  ContainerRuntime,
  ContainerStats,
  ContainerStatus,
  ExecOptions,
  ExecSession,
  ExecSyncResult,
  Image,
  LinuxContainerResources,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxStatus,
  PullOptions,
  RuntimeEvent,
  RuntimeStatus,
} from '../contract.ts';
import { RuntimeError } from '../contract.ts';
import * as convert from './convert.ts';
import { CriConnection, type CriService } from './grpc-connection.ts';
import type {
  WireContainer,
  WireContainerStats,
  WireContainerStatus,
  WireEvent,
  WireFilesystemUsage,
  WireImage,
  WireSandbox,
  WireSandboxStatus,
} from './wire.ts';

// The kubelet's --runtime-request-timeout.
const REQUEST_TIMEOUT_MS = 120_000;
// Sandboxes wait for CNI plugins; upstream doubles the limit for them.
const SANDBOX_TIMEOUT_MS = 2 * REQUEST_TIMEOUT_MS;
// An execSync without a limit still must not hang on a runtime that never answers.
const UNLIMITED_EXEC_TIMEOUT_MS = 24 * 3600 * 1000;
// Far more than a node has containers.
const SANDBOX_MEMORY_MAX = 10_000;
// Probes and hooks look at far less.
const EXEC_SYNC_OUTPUT_BYTES_MAX = 16 * 1024;

/** A container runtime that speaks CRI v1 over a unix socket: containerd (1.6 and later) or CRI-O. */
export class CriRuntime implements ContainerRuntime {
  readonly #connection: CriConnection;
  /** The status message does not name the sandbox; the list does, and it never changes. */
  readonly #sandboxOf = new Map<string, string>();
  /** There only where the runtime is known to send container events. */
  readonly events?: (signal: AbortSignal) => AsyncIterable<RuntimeEvent>;

  /** Use `connect`, which finds out what the runtime can do. */
  constructor(connection: CriConnection, options: { hasEvents: boolean }) {
    this.#connection = connection;
    if (options.hasEvents) this.events = (signal) => this.#watchEvents(signal);
  }

  /** Fails with `RuntimeError` Unavailable where nothing answers at the endpoint. */
  static async connect(endpoint: string, deps: { clock: Clock }): Promise<CriRuntime> {
    const connection = new CriConnection(endpoint, deps);
    try {
      const { runtimeName, runtimeVersion } = await new CriRuntime(connection, { hasEvents: false }).version();
      return new CriRuntime(connection, { hasEvents: sendsEvents(runtimeName, runtimeVersion) });
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  version(): Promise<{ runtimeName: string; runtimeVersion: string; runtimeApiVersion: string }> {
    return this.#runtime('Version', 'VersionRequest', 'VersionResponse', { version: '0.1.0' });
  }

  async status(): Promise<RuntimeStatus> {
    const { status, features } = await this.#runtime<{
      status: { conditions: { type: string; status: boolean; reason: string; message: string }[] } | null;
      features: { supplementalGroupsPolicy: boolean } | null;
    }>('Status', 'StatusRequest', 'StatusResponse', {});
    return { conditions: status?.conditions ?? [], ...(features === null ? {} : { features }) };
  }

  async updatePodCidr(podCidr: string): Promise<void> {
    const runtimeConfig = { networkConfig: { podCidr } };
    await this.#runtime('UpdateRuntimeConfig', 'UpdateRuntimeConfigRequest', 'Empty', { runtimeConfig });
  }

  async runPodSandbox(config: PodSandboxConfig, options: { runtimeHandler: string }): Promise<string> {
    const { podSandboxId } = await this.#runtime<{ podSandboxId: string }>(
      'RunPodSandbox',
      'RunPodSandboxRequest',
      'PodSandboxIdMessage',
      { config: convert.sandboxConfigToWire(config), runtimeHandler: options.runtimeHandler },
      SANDBOX_TIMEOUT_MS,
    );
    return podSandboxId;
  }

  async stopPodSandbox(podSandboxId: string): Promise<void> {
    await this.#runtime('StopPodSandbox', 'PodSandboxIdMessage', 'Empty', { podSandboxId }, SANDBOX_TIMEOUT_MS);
  }

  async removePodSandbox(podSandboxId: string): Promise<void> {
    await this.#runtime('RemovePodSandbox', 'PodSandboxIdMessage', 'Empty', { podSandboxId });
  }

  async podSandboxStatus(podSandboxId: string): Promise<PodSandboxStatus | undefined> {
    const response = await foundOrUndefined(
      this.#runtime<{ status: WireSandboxStatus | null }>(
        'PodSandboxStatus',
        'PodSandboxIdMessage',
        'PodSandboxStatusResponse',
        { podSandboxId },
      ),
    );
    const status = response?.status ?? undefined;
    return status === undefined ? undefined : convert.sandboxStatusFromWire(status);
  }

  async listPodSandboxes(filter: { labels?: Record<string, string> } = {}): Promise<PodSandbox[]> {
    const { items } = await this.#runtime<{ items: WireSandbox[] }>(
      'ListPodSandbox',
      'ListPodSandboxRequest',
      'ListPodSandboxResponse',
      { filter: { labelSelector: filter.labels ?? {} } },
    );
    return items.map(convert.sandboxFromWire);
  }

  async createContainer(podSandboxId: string, config: ContainerConfig, sandbox: PodSandboxConfig): Promise<string> {
    const { containerId } = await this.#runtime<{ containerId: string }>(
      'CreateContainer',
      'CreateContainerRequest',
      'ContainerIdMessage',
      {
        podSandboxId,
        config: convert.containerConfigToWire(config),
        sandboxConfig: convert.sandboxConfigToWire(sandbox),
      },
    );
    return containerId;
  }

  async startContainer(containerId: string): Promise<void> {
    await this.#runtime('StartContainer', 'ContainerIdMessage', 'Empty', { containerId });
  }

  async stopContainer(containerId: string, options: { timeoutSeconds: number }): Promise<void> {
    const timeout = Math.max(0, Math.ceil(options.timeoutSeconds));
    const timeoutMs = REQUEST_TIMEOUT_MS + timeout * 1000;
    await this.#runtime('StopContainer', 'StopContainerRequest', 'Empty', { containerId, timeout }, timeoutMs);
  }

  async removeContainer(containerId: string): Promise<void> {
    await this.#runtime('RemoveContainer', 'ContainerIdMessage', 'Empty', { containerId });
    this.#sandboxOf.delete(containerId);
  }

  async containerStatus(containerId: string): Promise<ContainerStatus | undefined> {
    const response = await foundOrUndefined(
      this.#runtime<{ status: WireContainerStatus | null; info: Record<string, string> }>(
        'ContainerStatus',
        'ContainerStatusRequest',
        'ContainerStatusResponse',
        { containerId },
      ),
    );
    const status = response?.status ?? undefined;
    if (status === undefined) return undefined;
    if (!this.#sandboxOf.has(containerId)) await this.#containers({ id: containerId });
    return convert.containerStatusFromWire(status, this.#sandboxOf.get(containerId) ?? '');
  }

  async listContainers(filter: { labels?: Record<string, string>; sandboxId?: string } = {}): Promise<Container[]> {
    const containers = await this.#containers({
      labelSelector: filter.labels ?? {},
      ...(filter.sandboxId === undefined ? {} : { podSandboxId: filter.sandboxId }),
    });
    return containers.map(convert.containerFromWire);
  }

  async updateContainerResources(containerId: string, resources: LinuxContainerResources): Promise<void> {
    await this.#runtime('UpdateContainerResources', 'UpdateContainerResourcesRequest', 'Empty', {
      containerId,
      linux: convert.resourcesToWire(resources),
    });
  }

  async reopenContainerLog(containerId: string): Promise<void> {
    await this.#runtime('ReopenContainerLog', 'ContainerIdMessage', 'Empty', { containerId });
  }

  async containerStats(filter: { labels?: Record<string, string> } = {}): Promise<ContainerStats[]> {
    const { stats } = await this.#runtime<{ stats: WireContainerStats[] }>(
      'ListContainerStats',
      'ListContainerStatsRequest',
      'ListContainerStatsResponse',
      { filter: { labelSelector: filter.labels ?? {} } },
    );
    return stats.map(convert.statsFromWire);
  }

  async execSync(
    containerId: string,
    command: readonly string[],
    options: { timeoutMs: number },
  ): Promise<ExecSyncResult> {
    // Whole seconds are all that CRI knows; 0 would mean no limit.
    const timeout = options.timeoutMs <= 0 ? 0 : Math.max(1, Math.ceil(options.timeoutMs / 1000));
    const timeoutMs = timeout === 0 ? UNLIMITED_EXEC_TIMEOUT_MS : REQUEST_TIMEOUT_MS + timeout * 1000;
    try {
      const { stdout, stderr, exitCode } = await this.#runtime<{ stdout: Buffer; stderr: Buffer; exitCode: number }>(
        'ExecSync',
        'ExecSyncRequest',
        'ExecSyncResponse',
        { containerId, cmd: command, timeout },
        timeoutMs,
      );
      return { stdout: cut(stdout), stderr: cut(stderr), exitCode, timedOut: false };
    } catch (error) {
      if (!(error instanceof RuntimeError) || error.code !== 'DeadlineExceeded') throw error;
      return { stdout: new Uint8Array(), stderr: new Uint8Array(), exitCode: -1, timedOut: true };
    }
  }

  async exec(containerId: string, options: ExecOptions): Promise<ExecSession> {
    const { command, ...streams } = options;
    const message = { containerId, cmd: command, ...streams, stderr: options.stderr && !options.tty };
    const { url } = await this.#runtime<{ url: string }>('Exec', 'ExecRequest', 'UrlResponse', message);
    return await openRemoteCommand(url, { ...streams, stderr: message.stderr });
  }

  async attach(containerId: string, options: Omit<ExecOptions, 'command'>): Promise<ExecSession> {
    const streams = { ...options, stderr: options.stderr && !options.tty };
    const message = { containerId, ...streams };
    const { url } = await this.#runtime<{ url: string }>('Attach', 'AttachRequest', 'UrlResponse', message);
    return await openRemoteCommand(url, streams);
  }

  async portForward(podSandboxId: string, port: number): Promise<Duplex> {
    const message = { podSandboxId, port: [port] };
    const { url } = await this.#runtime<{ url: string }>('PortForward', 'PortForwardRequest', 'UrlResponse', message);
    return await openPortForward(url, port);
  }

  async imageStatus(image: string): Promise<Image | undefined> {
    const response = await this.#image<{ image: WireImage | null }>(
      'ImageStatus',
      'ImageRequest',
      'ImageStatusResponse',
      {
        image: { image },
      },
    );
    return response.image === null ? undefined : convert.imageFromWire(response.image);
  }

  async listImages(): Promise<Image[]> {
    const { images } = await this.#image<{ images: WireImage[] }>('ListImages', 'Empty', 'ListImagesResponse', {});
    return images.map(convert.imageFromWire);
  }

  async pullImage(image: string, options: PullOptions): Promise<string> {
    const { imageRef } = await this.#image<{ imageRef: string }>('PullImage', 'PullImageRequest', 'PullImageResponse', {
      image: { image },
      ...(options.auth === undefined ? {} : { auth: options.auth }),
      ...(options.sandbox === undefined ? {} : { sandboxConfig: convert.sandboxConfigToWire(options.sandbox) }),
    });
    return imageRef;
  }

  async removeImage(imageId: string): Promise<void> {
    await this.#image('RemoveImage', 'ImageRequest', 'Empty', { image: { image: imageId } });
  }

  async imageFsInfo(): Promise<{ mountpoint: string; usedBytes: number; inodesUsed: number }[]> {
    const { imageFilesystems } = await this.#image<{ imageFilesystems: WireFilesystemUsage[] }>(
      'ImageFsInfo',
      'Empty',
      'ImageFsInfoResponse',
      {},
    );
    return imageFilesystems.map((usage) => ({
      mountpoint: usage.fsId?.mountpoint ?? '',
      usedBytes: usage.usedBytes?.value ?? 0,
      inodesUsed: usage.inodesUsed?.value ?? 0,
    }));
  }

  close(): Promise<void> {
    this.#connection.close();
    return Promise.resolve();
  }

  async *#watchEvents(signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
    const call = { service: 'RuntimeService', method: 'GetContainerEvents', request: 'Empty', message: {} } as const;
    const events = this.#connection.stream<WireEvent>({ ...call, response: 'ContainerEventResponse' }, signal);
    for await (const event of events) {
      yield {
        type: event.containerEventType,
        containerId: event.containerId,
        sandboxId: event.podSandboxStatus?.id ?? '',
        podUid: event.podSandboxStatus?.metadata?.uid ?? '',
      };
    }
  }

  async #containers(filter: Record<string, unknown>): Promise<WireContainer[]> {
    const { containers } = await this.#runtime<{ containers: WireContainer[] }>(
      'ListContainers',
      'ListContainersRequest',
      'ListContainersResponse',
      { filter },
    );
    // Containers that are removed behind our back leave an entry each; a fresh start of the map is cheap.
    if (this.#sandboxOf.size > SANDBOX_MEMORY_MAX) this.#sandboxOf.clear();
    for (const { id, podSandboxId } of containers) this.#sandboxOf.set(id, podSandboxId);
    return containers;
  }

  #runtime<T>(
    method: string,
    request: string,
    response: string,
    message: Record<string, unknown>,
    timeoutMs = REQUEST_TIMEOUT_MS,
  ): Promise<T> {
    return this.#call<T>('RuntimeService', { method, request, response, message, timeoutMs });
  }

  /** Image calls have no deadline: a pull takes what it takes. */
  #image<T>(method: string, request: string, response: string, message: Record<string, unknown>): Promise<T> {
    return this.#call<T>('ImageService', { method, request, response, message, timeoutMs: undefined });
  }

  #call<T>(
    service: CriService,
    call: {
      method: string;
      request: string;
      response: string;
      message: Record<string, unknown>;
      timeoutMs: number | undefined;
    },
  ): Promise<T> {
    const { timeoutMs, ...rest } = call;
    return this.#connection.call<T>({ service, ...rest, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  }
}

async function foundOrUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof RuntimeError && error.code === 'NotFound') return undefined;
    throw error;
  }
}

function cut(output: Buffer): Uint8Array {
  return output.subarray(0, EXEC_SYNC_OUTPUT_BYTES_MAX);
}

/** containerd has container events since 1.7; CRI-O only where they were switched on, so they are not counted on. */
function sendsEvents(runtimeName: string, runtimeVersion: string): boolean {
  const [major = 0, minor = 0] = runtimeVersion.replace(/^v/, '').split('.').map(Number);
  return runtimeName === 'containerd' && (major > 1 || (major === 1 && minor >= 7));
}
