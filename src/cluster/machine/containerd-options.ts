import { join } from 'node:path';
import type { ContainerdOptions } from '#node/runtime/cri/containerd.ts';
import type { AgentConfig } from './agent-config.ts';
import { cniConfigDirectory, containerdStateDirectory } from './node-paths.ts';

/** How a node's containerd is started; the same from the agent and from whoever cleans up after it. */
export function containerdOptions(config: AgentConfig, environment: NodeJS.ProcessEnv): ContainerdOptions {
  const passed = ['PATH', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];
  return {
    rootDir: join(config.dataDirectory, 'containerd'),
    stateDir: containerdStateDirectory(config.runDirectory),
    cniConfDir: cniConfigDirectory(config.dataDirectory),
    sandboxImage: config.sandboxImage,
    environment: Object.fromEntries(
      passed.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])),
    ),
  };
}
