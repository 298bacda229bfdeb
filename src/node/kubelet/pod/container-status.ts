import type { Container, ContainerState, ContainerStatus, Pod } from '#api/generated/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { hasCreatedRegularContainer } from './plan-types.ts';
import { isSidecar } from './pod.ts';
import { shouldBeStarted } from './restart.ts';
import { type ContainerView, findContainer, type PodView } from './view.ts';

/** Why a container could not be started: what its `waiting` state says. */
export interface StartFailure {
  readonly reason: string;
  readonly message: string;
}

export interface ContainerStatusInput {
  readonly pod: Pod;
  readonly view: PodView;
  readonly containers: readonly Container[];
  readonly previous: readonly ContainerStatus[];
  readonly isInit: boolean;
  /** `containerd`: container ids are `containerd://ID`. */
  readonly runtimeName: string;
  readonly startFailure: (containerName: string) => StartFailure | undefined;
}

/** The API's statuses of some containers, from the runtime's view and what the API said before. */
export function containerStatuses(input: ContainerStatusInput): ContainerStatus[] {
  const statuses = input.containers.map((container) => oneStatus(input, container));
  return input.isInit ? statuses : statuses.sort((left, right) => (left.name < right.name ? -1 : 1));
}

function oneStatus(input: ContainerStatusInput, container: Container): ContainerStatus {
  const previous = input.previous.find((one) => one.name === container.name);
  const attempts = input.view.containers.filter((one) => one.name === container.name);
  const [current, before] = attempts;
  let status = current === undefined ? absentStatus(input, container, previous) : fromView(input, container, current);
  if (before !== undefined) status.lastState = stateOf(before, input.runtimeName);
  else if (current !== undefined && isOtherAttempt(previous, status)) status.lastState = lastStateOf(previous);
  if (input.isInit && current?.state === 'EXITED' && current.exitCode === 0) return status;
  if (isLostInit(input, container, status)) {
    return { ...status, state: { terminated: COMPLETED_UNSEEN } };
  }
  if (!shouldBeStarted(container, input.pod, input.view)) return status;
  const failure = input.startFailure(container.name);
  if (failure === undefined) return status;
  if (status.state?.terminated !== undefined) status = { ...status, lastState: status.state };
  return { ...status, state: { waiting: waiting(failure) } };
}

const COMPLETED_UNSEEN = {
  exitCode: 0,
  reason: 'Completed',
  message:
    'Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally',
};

/** The runtime has no such container (any more). */
function absentStatus(
  input: ContainerStatusInput,
  container: Container,
  previous: ContainerStatus | undefined,
): ContainerStatus {
  if (previous?.state?.terminated !== undefined) return { ...previous };
  const reason = (input.pod.spec.initContainers ?? []).length > 0 ? 'PodInitializing' : 'ContainerCreating';
  const status: ContainerStatus = {
    ...skeleton(container),
    restartCount: previous?.restartCount ?? 0,
    lastState: previous?.lastState ?? {},
    state: { waiting: { reason } },
  };
  if (previous?.state?.running === undefined || previous.lastState?.terminated !== undefined) return status;
  // It ran and the runtime forgot it: it must not look as if it never had.
  const terminated = {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was deleted.  The container used to be Running',
  };
  const isDeleted = input.pod.metadata.deletionTimestamp !== undefined;
  return { ...status, lastState: { terminated }, restartCount: status.restartCount + (isDeleted ? 0 : 1) };
}

function fromView(input: ContainerStatusInput, container: Container, view: ContainerView): ContainerStatus {
  return {
    ...skeleton(container),
    image: view.image === '' ? (container.image ?? '') : view.image,
    imageID: view.imageRef,
    containerID: `${input.runtimeName}://${view.id}`,
    restartCount: view.restartCount,
    state: stateOf(view, input.runtimeName),
    ...(container.resources === undefined ? {} : { resources: container.resources }),
    ...(container.resources?.requests === undefined ? {} : { allocatedResources: container.resources.requests }),
    ...(view.user === undefined
      ? {}
      : { user: { linux: { ...view.user, supplementalGroups: [...view.user.supplementalGroups] } } }),
  };
}

function skeleton(container: Container): ContainerStatus {
  const mounts = (container.volumeMounts ?? []).map((mount) => ({
    name: mount.name,
    mountPath: mount.mountPath,
    ...(mount.readOnly === true ? { readOnly: true, recursiveReadOnly: 'Disabled' } : {}),
  }));
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: '',
    ready: false,
    restartCount: 0,
    state: {},
    lastState: {},
    ...(mounts.length === 0 ? {} : { volumeMounts: mounts }),
  };
}

function stateOf(view: ContainerView, runtimeName: string): ContainerState {
  switch (view.state) {
    case 'RUNNING':
      return { running: { startedAt: formatTime(view.startedAtMs) } };
    case 'EXITED':
      return {
        terminated: {
          exitCode: view.exitCode,
          ...(view.reason === '' ? {} : { reason: view.reason }),
          ...(view.message === '' ? {} : { message: view.message }),
          // Go's zero time travels as null and reads as absent; the epoch is what the runtime says of "never".
          startedAt: formatTime(view.startedAtMs),
          finishedAt: formatTime(view.finishedAtMs),
          containerID: `${runtimeName}://${view.id}`,
        },
      };
    case 'CREATED':
    case 'UNKNOWN':
      return { waiting: {} };
  }
}

function waiting(failure: StartFailure): NonNullable<ContainerState['waiting']> {
  return { reason: failure.reason, ...(failure.message === '' ? {} : { message: failure.message }) };
}

/** The attempt before is gone from the runtime, but the API remembers how it ended. */
function isOtherAttempt(previous: ContainerStatus | undefined, status: ContainerStatus): boolean {
  return previous !== undefined && previous.restartCount <= status.restartCount;
}

function lastStateOf(previous: ContainerStatus | undefined): ContainerState {
  return previous?.lastState ?? {};
}

function isLostInit(input: ContainerStatusInput, container: Container, status: ContainerStatus): boolean {
  return (
    input.isInit &&
    !isSidecar(container) &&
    findContainer(input.view, container.name) === undefined &&
    status.state?.waiting !== undefined &&
    hasCreatedRegularContainer(input.pod, input.view)
  );
}
