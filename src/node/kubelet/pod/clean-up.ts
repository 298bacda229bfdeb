import type { Pod } from '#api/generated/types.ts';
import { podCgroupPath } from '../container/resources.ts';
import { podLogDirectory } from '../container/sandbox.ts';
import { podName, podNamespace, podUid } from './pod.ts';
import type { PodServices } from './services.ts';
import type { PodView } from './view.ts';

/** Gives back what a pod that has ended does not need any more; its dead containers and logs stay to be read. */
export async function releasePod(services: PodServices, pod: Pod): Promise<void> {
  await services.volumes?.release(podUid(pod));
  if (services.host.cgroups.version === 0) return;
  try {
    await services.host.cgroups.remove(podCgroupPath(pod, services.cgroupRoot));
  } catch (error) {
    // The kernel may still be taking the group apart; the runtime's removal of the sandbox ends that.
    services.log.info('cannot remove pod cgroup yet', { pod: podName(pod), error: String(error) });
  }
}

/** Removes the last traces: containers, sandboxes, logs, directories. */
export async function cleanUpPod(services: PodServices, view: PodView, pod: Pod): Promise<void> {
  const { runtime, host, paths } = services;
  for (const container of view.containers) await runtime.removeContainer(container.id);
  for (const sandbox of view.sandboxes) {
    await runtime.stopPodSandbox(sandbox.id);
    await runtime.removePodSandbox(sandbox.id);
  }
  await releasePod(services, pod);
  if (services.volumes === undefined) return;
  await host.files.remove(podLogDirectory(pod, paths.podLogs));
  await host.files.remove(`${paths.pods}/${podUid(pod)}`);
  const directory = paths.containerLogs;
  if (directory === undefined) return;
  for (const container of view.containers) {
    const name = `${podName(pod)}_${podNamespace(pod)}_${container.name}-${container.id}.log`;
    await host.files.remove(`${directory}/${name}`);
  }
}
