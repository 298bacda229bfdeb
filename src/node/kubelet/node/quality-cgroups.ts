import type { HostCgroups } from '../../host/host.ts';
import { cpuShares } from '../container/resources.ts';
import { podRequest, qosClass } from '../pod/qos.ts';
import type { Pod } from '#api/generated/types.ts';

/**
 * The control groups above the pods': one for all pods, and below it one for each quality of service that has none of its
 * own. Best-effort pods together get what is left; burstable ones what they asked for.
 */
export async function ensureQualityCgroups(
  cgroups: HostCgroups,
  options: { root: string; cpuMillis: number; pods: readonly Pod[] },
): Promise<void> {
  if (cgroups.version === 0) return;
  const top = `${options.root}/kubepods`;
  const burstable = options.pods.filter((pod) => qosClass(pod) === 'Burstable');
  const asked = burstable.reduce((sum, pod) => sum + podRequest(pod, 'cpu'), 0);
  await cgroups.create(top, { cpuShares: cpuShares(options.cpuMillis) });
  await cgroups.create(`${top}/besteffort`, { cpuShares: cpuShares(0) });
  await cgroups.create(`${top}/burstable`, { cpuShares: cpuShares(asked) });
}
