import type { Client } from '#client/client.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Host } from '../host/host.ts';
import type { PodVolumes } from '../volume/contract.ts';
import { PodTokens } from '../volume/tokens.ts';
import { HostVolumes } from '../volume/volumes.ts';
import { fieldValue, type NodeAllocatable, resourceValue } from './container/field-ref.ts';
import { containerSpec, podUid } from './pod/pod.ts';
import type { PodObjects } from './pod/services.ts';

export interface PodVolumesDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly host: Host;
  readonly podsDirectory: string;
  /** What containers without limits may use: the node's allocatable. */
  readonly allocatable: () => NodeAllocatable;
}

/** The volumes of real pods: files on the host, filled from what the kubelet watches. For `KubeletDeps.volumes`. */
export function podVolumes(deps: PodVolumesDeps): (objects: PodObjects) => PodVolumes {
  const { client, clock, host, podsDirectory } = deps;
  const tokens = new PodTokens({ client, clock });
  return (objects) =>
    new HostVolumes({
      host,
      clock,
      podsDirectory,
      onRelease: (uid) => tokens.forget(uid),
      sources: (pod, addresses) => {
        const visible = objects.forPod(podUid(pod));
        return {
          configMap: (namespace, name) => visible.configMap(namespace, name),
          secret: (namespace, name) => visible.secret(namespace, name),
          tokens,
          downward: (_, item) => {
            if (item.fieldRef !== undefined) return fieldValue(pod, item.fieldRef, addresses);
            const ref = item.resourceFieldRef;
            const container = ref === undefined ? undefined : containerSpec(pod, ref.containerName ?? '');
            if (ref === undefined || container === undefined) {
              throw new Error(`downward API item "${item.path}" names no container`);
            }
            return resourceValue(container, ref, deps.allocatable());
          },
        };
      },
    });
}
