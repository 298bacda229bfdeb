import type { ContainerStatus } from '#api/generated/types.ts';
import { podLogDirectory } from '../container/sandbox.ts';
import { podName } from '../pod/pod.ts';
import type { PodServices } from '../pod/services.ts';
import type { PodWorker } from '../pod/worker.ts';

/** Which attempt's log a request means, or why there is none; the texts are upstream's. */
export type LogChoice =
  | { readonly type: 'log'; readonly containerId: string; readonly path: string }
  | { readonly type: 'refused'; readonly message: string };

export function chooseLog(
  services: PodServices,
  worker: PodWorker,
  options: { containerName: string; isPrevious: boolean },
): LogChoice {
  const { containerName, isPrevious } = options;
  const { pod, status, view } = worker;
  const name = podName(pod);
  const all = [
    ...(status.containerStatuses ?? []),
    ...(status.initContainerStatuses ?? []),
    ...(status.ephemeralContainerStatuses ?? []),
  ];
  const found = all.find((one) => one.name === containerName);
  if (found === undefined) return refused(`container "${containerName}" in pod "${name}" is not available`);
  const choice = isPrevious ? previousId(found, name) : currentId(found, name);
  if (choice.id === undefined) return refused(choice.message);
  const id = choice.id.replace(/^[^:]*:\/\//, '');
  const attempt = view?.containers.find((one) => one.id === id);
  if (attempt === undefined) return refused(`container "${containerName}" in pod "${name}" has no log any more`);
  const directory = podLogDirectory(pod, services.paths.podLogs);
  return { type: 'log', containerId: id, path: `${directory}/${containerName}/${attempt.restartCount}.log` };
}

type Id = { id: string } | { id?: undefined; message: string };

function previousId(status: ContainerStatus, podOf: string): Id {
  const id = status.lastState?.terminated?.containerID;
  if (id !== undefined && id !== '') return { id };
  return { message: `previous terminated container "${status.name}" in pod "${podOf}" not found` };
}

function currentId(status: ContainerStatus, podOf: string): Id {
  const { state = {}, lastState = {} } = status;
  if (state.running !== undefined && status.containerID !== undefined) return { id: status.containerID };
  const ended = state.terminated?.containerID ?? lastState.terminated?.containerID;
  if (ended !== undefined && ended !== '') return { id: ended };
  const what = `container "${status.name}" in pod "${podOf}"`;
  if (state.terminated !== undefined || lastState.terminated !== undefined) return { message: `${what} is terminated` };
  switch (state.waiting?.reason) {
    case undefined:
      return { message: `${what} is waiting to start - no logs yet` };
    case 'ErrImagePull':
      return { message: `${what} is waiting to start: image can't be pulled` };
    case 'ImagePullBackOff':
      return { message: `${what} is waiting to start: trying and failing to pull image` };
    default:
      return { message: `${what} is waiting to start: ${state.waiting?.reason ?? ''}` };
  }
}

function refused(message: string): LogChoice {
  return { type: 'refused', message };
}
