import type { Pod } from '#api/generated/types.ts';
import { POD_UID_LABEL } from '../pod/labels.ts';
import { podLogDirectory } from '../container/sandbox.ts';
import { podUid } from '../pod/pod.ts';
import type { PodServices } from '../pod/services.ts';

// A node that goes away gives its containers this long; people wait for Ctrl-C to end.
const GRACE_SECONDS = 2;

/** Ends and removes all pods of a node whose kubelet has stopped: containers, sandboxes, mounts, directories, groups. */
export async function evacuateNode(services: PodServices, pods: readonly Pod[]): Promise<void> {
  const { runtime, volumes, host, paths, cgroupRoot, log } = services;
  const sandboxes = (await runtime.listPodSandboxes()).filter((one) => one.labels[POD_UID_LABEL] !== undefined);
  await Promise.all(
    sandboxes.map(async ({ id }) => {
      try {
        const containers = await runtime.listContainers({ sandboxId: id });
        await Promise.all(
          containers
            .filter((one) => one.state === 'RUNNING')
            .map((one) => runtime.stopContainer(one.id, { timeoutSeconds: GRACE_SECONDS })),
        );
        for (const container of containers) await runtime.removeContainer(container.id);
        await runtime.stopPodSandbox(id);
        await runtime.removePodSandbox(id);
      } catch (error) {
        log.warn('cannot remove sandbox', { sandbox: id, error: String(error) });
      }
    }),
  );
  if (volumes !== undefined) {
    for (const uid of await volumes.list()) {
      await volumes.release(uid);
      await host.files.remove(`${paths.pods}/${uid}`);
    }
    for (const pod of pods) {
      await host.files.remove(podLogDirectory(pod, paths.podLogs));
      await host.files.remove(`${paths.pods}/${podUid(pod)}`);
    }
  }
  if (host.cgroups.version === 0) return;
  // A root of its own was made for this node only.
  await host.cgroups.remove(cgroupRoot === '' ? '/kubepods' : cgroupRoot).catch((error: unknown) => {
    log.warn('cannot remove cgroups', { error: String(error) });
  });
}
