import type { Image } from '../../runtime/contract.ts';
import { POD_UID_LABEL } from '../pod/labels.ts';
import type { PodSet } from '../pod/pod-set.ts';
import type { PodServices } from '../pod/services.ts';

/** When images were first seen and last used; kept between runs. */
export interface GarbageTimes {
  imagesUsedMs?: Map<string, number>;
}

// One dead attempt a container is kept: its logs and its end are what `--previous` and `lastState` show.
const DEAD_PER_CONTAINER = 1;
const DISK_HIGH_SHARE = 0.85;
const DISK_LOW_SHARE = 0.8;
const IMAGE_AGE_MIN_MS = 120_000;
const ORPHAN_GRACE_SECONDS = 2;

/** Removes what no pod needs: sandboxes and directories of unknown pods, old dead containers, images when space runs out. */
export async function collectGarbage(services: PodServices, set: PodSet, times: GarbageTimes): Promise<void> {
  await removeOrphans(services, set);
  await removeDeadContainers(services, set);
  await removeOrphanDirectories(services, set);
  await removeImages(services, times);
}

/** Pods that were deleted while the kubelet was away. */
async function removeOrphans({ runtime, log }: PodServices, set: PodSet): Promise<void> {
  for (const sandbox of await runtime.listPodSandboxes()) {
    const uid = sandbox.labels[POD_UID_LABEL];
    if (uid === undefined || set.get(uid) !== undefined) continue;
    log.info('removing orphaned pod', { pod: sandbox.metadata.name, uid });
    const containers = await runtime.listContainers({ sandboxId: sandbox.id });
    for (const container of containers) {
      if (container.state === 'RUNNING') {
        await runtime.stopContainer(container.id, { timeoutSeconds: ORPHAN_GRACE_SECONDS });
      }
      await runtime.removeContainer(container.id);
    }
    await runtime.stopPodSandbox(sandbox.id);
    await runtime.removePodSandbox(sandbox.id);
  }
}

async function removeDeadContainers({ runtime }: PodServices, set: PodSet): Promise<void> {
  for (const worker of set.workers) {
    const { view } = worker;
    if (view === undefined) continue;
    const dead = new Map<string, number>();
    for (const container of view.containers) {
      if (container.state !== 'EXITED') continue;
      const count = (dead.get(container.name) ?? 0) + 1;
      dead.set(container.name, count);
      // The newest attempt is the container's state, dead or not: it does not count against those before it.
      const isNewest = view.containers.find((one) => one.name === container.name) === container;
      if (!isNewest && count > DEAD_PER_CONTAINER + (isDead(view.containers, container.name) ? 1 : 0)) {
        await runtime.removeContainer(container.id);
      }
    }
    // Sandboxes before the newest one, once nothing is left in them.
    for (const sandbox of view.sandboxes.slice(1)) {
      if (sandbox.state === 'READY' || view.containers.some((one) => one.sandboxId === sandbox.id)) continue;
      await runtime.removePodSandbox(sandbox.id);
    }
  }
}

function isDead(containers: readonly { name: string; state: string }[], name: string): boolean {
  return containers.find((one) => one.name === name)?.state === 'EXITED';
}

async function removeOrphanDirectories(services: PodServices, set: PodSet): Promise<void> {
  const { volumes, host, paths } = services;
  if (volumes === undefined) return;
  for (const uid of await volumes.list()) {
    if (set.get(uid) !== undefined) continue;
    await volumes.release(uid);
    await host.files.remove(`${paths.pods}/${uid}`);
  }
  const logs = await host.files.list(paths.podLogs).catch(() => []);
  for (const name of logs) {
    const uid = name.split('_')[2];
    if (uid !== undefined && set.get(uid) === undefined) await host.files.remove(`${paths.podLogs}/${name}`);
  }
}

async function removeImages(services: PodServices, times: GarbageTimes): Promise<void> {
  const { runtime, host, clock, log } = services;
  const used = (times.imagesUsedMs ??= new Map());
  const nowMs = clock.now();
  const [images, containers] = await Promise.all([runtime.listImages(), runtime.listContainers()]);
  const inUse = new Set(containers.flatMap((one) => [one.image, one.imageRef]));
  for (const image of images) if (!used.has(image.id) || isUsed(image, inUse)) used.set(image.id, nowMs);
  const mountpoint = (await runtime.imageFsInfo())[0]?.mountpoint;
  if (mountpoint === undefined) return;
  const disk = await host.facts.diskUsage(mountpoint).catch(() => undefined);
  if (disk === undefined || disk.totalBytes === 0) return;
  let usedBytes = disk.totalBytes - disk.availableBytes;
  if (usedBytes < disk.totalBytes * DISK_HIGH_SHARE) return;
  const candidates = images
    .filter(
      (image) => !image.pinned && !isUsed(image, inUse) && nowMs - (used.get(image.id) ?? nowMs) > IMAGE_AGE_MIN_MS,
    )
    .sort((left, right) => (used.get(left.id) ?? 0) - (used.get(right.id) ?? 0));
  for (const image of candidates) {
    if (usedBytes <= disk.totalBytes * DISK_LOW_SHARE) return;
    log.info('removing unused image', { image: image.repoTags[0] ?? image.id });
    await runtime.removeImage(image.id);
    used.delete(image.id);
    usedBytes -= image.sizeBytes;
  }
}

function isUsed(image: Image, inUse: ReadonlySet<string>): boolean {
  return [image.id, ...image.repoTags, ...image.repoDigests].some((name) => inUse.has(name));
}
