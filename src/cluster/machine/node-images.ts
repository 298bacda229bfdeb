import { join } from 'node:path';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { loadIntoContainerd } from '#node/image/load-containerd.ts';
import { CriRuntime } from '#node/runtime/cri/cri-runtime.ts';
import { ImageStore } from '#node/image/image-store.ts';
import type { DataDirectory } from '../data-directory.ts';
import { readAgentConfig } from './agent-config.ts';
import { containerdEndpoint, processDirectory } from './node-paths.ts';
import type { ClusterState } from './state-file.ts';

/** The images of one running node, reached without its agent. */
export interface NodeImages {
  readonly nodeName: string;
  /** Loads an archive; returns the names of its images. */
  load(archive: string): Promise<readonly string[]>;
  list(): Promise<{ names: readonly string[]; sizeBytes: number }[]>;
}

export function readNodes(directory: DataDirectory, state: ClusterState, environment: NodeJS.ProcessEnv): NodeImages[] {
  return state.nodes.map(({ name }) => {
    const config = readAgentConfig(join(directory.node(name), 'agent.json'));
    return config.runtime === 'containerd'
      ? containerdImages(name, containerdEndpoint(config.runDirectory), environment)
      : processImages(name, config.dataDirectory);
  });
}

function containerdImages(nodeName: string, endpoint: string, environment: NodeJS.ProcessEnv): NodeImages {
  const clock = new RealClock();
  const withRuntime = async <T>(use: (runtime: CriRuntime) => Promise<T>): Promise<T> => {
    const runtime = await CriRuntime.connect(endpoint, { clock });
    try {
      return await use(runtime);
    } finally {
      await runtime.close();
    }
  };
  return {
    nodeName,
    load: (archive) =>
      withRuntime((runtime) =>
        loadIntoContainerd(
          archive,
          { endpoint, environment: { PATH: environment['PATH'] ?? '' } },
          { clock, isPresent: async (name) => (await runtime.imageStatus(name)) !== undefined },
        ),
      ),
    list: () =>
      withRuntime(async (runtime) =>
        (await runtime.listImages()).map((image) => ({
          names: image.repoTags.length > 0 ? image.repoTags : image.repoDigests,
          sizeBytes: image.sizeBytes,
        })),
      ),
  };
}

function processImages(nodeName: string, dataDirectory: string): NodeImages {
  const store = new ImageStore(join(processDirectory(dataDirectory), 'images'));
  return {
    nodeName,
    load: (archive) => store.load(archive),
    list: async () => (await store.list()).map((image) => ({ names: image.names, sizeBytes: image.sizeBytes })),
  };
}
