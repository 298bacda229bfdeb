import type { Container, Pod, Secret } from '#api/generated/types.ts';
import type { Mount, PodSandboxConfig } from '../../runtime/contract.ts';
import { VolumeError } from '../../volume/contract.ts';
import { containerConfig } from '../container/config.ts';
import { containerEnvironment } from '../container/environment.ts';
import { ContainerConfigError } from '../container/errors.ts';
import { type MountInput, containerMounts } from '../container/mounts.ts';
import { runHook } from '../lifecycle/hooks.ts';
import type { StartFailure } from './container-status.ts';
import { podName, podNamespace, podUid } from './pod.ts';
import { containerEvent } from './pod-events.ts';
import type { PodServices } from './services.ts';
import { stopContainer } from './stop.ts';
import { findContainer, type PodView } from './view.ts';

export interface StartRequest {
  readonly pod: Pod;
  readonly container: Container;
  readonly restartCount: number;
  readonly sandboxId: string;
  readonly sandbox: PodSandboxConfig;
  readonly view: PodView;
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
  readonly volumes: MountInput['volumes'];
}

export type StartOutcome =
  | { readonly type: 'started'; readonly containerId: string }
  | { readonly type: 'failed'; readonly failure: StartFailure; readonly retryAfterMs: number };

const RETRY_MS = 10_000;

/** Image, configuration, creation, start, postStart hook: the steps of one container, each with its own failure. */
export async function startContainer(services: PodServices, request: StartRequest): Promise<StartOutcome> {
  const { pod, container, sandbox } = request;
  const secrets = await pullSecrets(services, pod);
  const image = await services.images.ensure({ pod, container, secrets, sandbox });
  if (image.type === 'failed') {
    warn(services, request, `Error: ${image.failure.reason}`);
    return image;
  }
  let config: Awaited<ReturnType<typeof configure>>;
  try {
    config = await configure(services, request, image.image);
  } catch (error) {
    if (!(error instanceof ContainerConfigError) && !(error instanceof VolumeError)) throw error;
    return fail(services, request, { reason: 'CreateContainerConfigError', message: error.message });
  }
  let containerId: string;
  try {
    containerId = await services.runtime.createContainer(request.sandboxId, config, sandbox);
  } catch (error) {
    return fail(services, request, { reason: 'CreateContainerError', message: textOf(error) });
  }
  tell(services, request, { reason: 'Created', message: 'Container created' });
  try {
    await services.runtime.startContainer(containerId);
  } catch (error) {
    return fail(services, request, { reason: 'RunContainerError', message: textOf(error) });
  }
  tell(services, request, { reason: 'Started', message: 'Container started' });
  await linkLog(services, request, { containerId, logPath: config.logPath });
  return postStart(services, request, containerId);
}

async function configure(
  services: PodServices,
  request: StartRequest,
  image: Parameters<typeof containerConfig>[0]['image'],
) {
  const { pod, container, restartCount, view } = request;
  const addresses = { podIps: request.podIps, hostIps: request.hostIps };
  const environment = await containerEnvironment({
    pod,
    container,
    objects: services.objects.forPod(podUid(pod)),
    addresses,
    node: services.node.allocatable,
    readVolumeFile: (volume, path) => readVolumeFile(services, request.volumes?.get(volume)?.hostPath, path),
  });
  const mounts: Mount[] = await containerMounts(services, {
    pod,
    container,
    environment,
    volumes: request.volumes,
    podIps: request.podIps,
  });
  const target = pod.spec.ephemeralContainers?.find((one) => one.name === container.name)?.targetContainerName;
  const targetId = target === undefined ? undefined : findContainer(view, target)?.id;
  return containerConfig({
    pod,
    container,
    image,
    restartCount,
    environment,
    mounts,
    nodeMemoryBytes: services.node.memoryBytes,
    ...(targetId === undefined ? {} : { targetId }),
  });
}

/** For variables that an init container left in a file. */
async function readVolumeFile(
  services: PodServices,
  directory: string | undefined,
  path: string,
): Promise<string | undefined> {
  if (directory === undefined || path.split('/').includes('..')) return undefined;
  const { files } = services.host;
  const full = `${directory}/${path}`;
  // A link could lead anywhere on the host.
  if ((await files.lstat(full))?.type !== 'file') return undefined;
  return Buffer.from(await files.read(full)).toString();
}

async function postStart(services: PodServices, request: StartRequest, containerId: string): Promise<StartOutcome> {
  const { pod, container, view } = request;
  const handler = container.lifecycle?.postStart;
  if (handler === undefined) return { type: 'started', containerId };
  const podIp = request.podIps[0] ?? '';
  const timeoutMs = Number.MAX_SAFE_INTEGER;
  const problem = await runHook(services, { pod, container, containerId, podIp, handler, timeoutMs });
  if (problem === undefined) return { type: 'started', containerId };
  containerEvent(services.events, request, {
    type: 'Warning',
    reason: 'FailedPostStartHook',
    message: 'PostStartHook failed',
  });
  await stopContainer(services, {
    pod,
    view,
    container,
    containerId,
    reason: 'unknownState',
    message: 'FailedPostStartHook',
  });
  return { type: 'failed', failure: { reason: 'PostStartHookError', message: problem }, retryAfterMs: RETRY_MS };
}

async function pullSecrets(services: PodServices, pod: Pod): Promise<Secret[]> {
  const found: Secret[] = [];
  const objects = services.objects.forPod(podUid(pod));
  for (const { name = '' } of pod.spec.imagePullSecrets ?? []) {
    const secret = await objects.secret(podNamespace(pod), name);
    if (secret !== undefined) {
      found.push(secret);
      continue;
    }
    const message = `Unable to retrieve some image pull secrets (${name}); attempting to pull the image may not succeed.`;
    services.events.event(pod, { type: 'Warning', reason: 'FailedToRetrieveImagePullSecret', message });
  }
  return found;
}

/** Log collectors look in one flat directory; a link there names pod, namespace and container. */
async function linkLog(
  services: PodServices,
  request: StartRequest,
  { containerId, logPath }: { containerId: string; logPath: string },
): Promise<void> {
  const directory = services.paths.containerLogs;
  if (directory === undefined) return;
  const { pod, container, sandbox } = request;
  const name = `${podName(pod)}_${podNamespace(pod)}_${container.name}-${containerId}.log`;
  try {
    await services.host.files.symlink(`${sandbox.logDirectory}/${logPath}`, `${directory}/${name}`);
  } catch (error) {
    services.log.info('cannot link container log', { name, error: textOf(error) });
  }
}

function tell(services: PodServices, request: StartRequest, event: { reason: string; message: string }): void {
  containerEvent(services.events, request, { type: 'Normal', ...event });
}

function warn(services: PodServices, request: StartRequest, message: string): void {
  containerEvent(services.events, request, { type: 'Warning', reason: 'Failed', message });
}

function fail(services: PodServices, request: StartRequest, failure: StartFailure): StartOutcome {
  warn(services, request, `Error: ${failure.message}`);
  return { type: 'failed', failure, retryAfterMs: RETRY_MS };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
