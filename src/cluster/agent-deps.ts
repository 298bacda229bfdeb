import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { loadKubeconfig } from '#client/kubeconfig/kubeconfig.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';

/** What every part of a node's agent is given. */
export interface AgentDeps {
  readonly executor: Executor;
  readonly log: Logger;
  readonly environment: NodeJS.ProcessEnv;
}

/** How one component of the agent reaches the API server. */
export function kubeconfigOf(path: string, component: string): ReturnType<typeof loadKubeconfig> {
  if (!existsSync(path)) throw new Error(`the kubeconfig of ${component} is missing: ${path} in ${dirname(path)}`);
  return loadKubeconfig({ path, env: {}, userAgent: `${component}/v1.36.0 (tiphys)` });
}
