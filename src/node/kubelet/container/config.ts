import type { Container, Pod } from '#api/generated/types.ts';
import type { ContainerConfig, Image, Mount } from '../../runtime/contract.ts';
import { containerAnnotations, containerHash, containerLabels } from '../pod/labels.ts';
import { expandVariables } from './expansion.ts';
import { containerResources } from './resources.ts';
import { containerSecurity } from './security.ts';

export interface ContainerConfigInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly image: Image;
  readonly restartCount: number;
  readonly environment: ReadonlyMap<string, string>;
  readonly mounts: readonly Mount[];
  readonly nodeMemoryBytes: number;
  /** The container whose process namespace an ephemeral container joins. */
  readonly targetId?: string;
}

/** What the runtime must know to make the container. Throws a `ContainerConfigError` where the spec cannot be met. */
export function containerConfig(input: ContainerConfigInput): ContainerConfig {
  const { pod, container, image, restartCount, environment } = input;
  const expand = (text: string) => expandVariables(text, (name) => environment.get(name));
  const stopSignal = container.lifecycle?.stopSignal;
  return {
    metadata: { name: container.name, attempt: restartCount },
    image: { image: image.id, userSpecifiedImage: container.image ?? '' },
    command: (container.command ?? []).map(expand),
    args: (container.args ?? []).map(expand),
    workingDir: container.workingDir ?? '',
    envs: [...environment].map(([key, value]) => ({ key, value })),
    mounts: input.mounts,
    devices: [],
    labels: containerLabels(pod, container),
    annotations: containerAnnotations(pod, container, { restartCount, hash: containerHash(container) }),
    logPath: `${container.name}/${restartCount}.log`,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    ...(stopSignal === undefined ? {} : { stopSignal }),
    linux: {
      resources: containerResources(pod, container, input.nodeMemoryBytes),
      securityContext: containerSecurity(pod, container, {
        image,
        ...(input.targetId === undefined ? {} : { targetId: input.targetId }),
      }),
    },
  };
}
