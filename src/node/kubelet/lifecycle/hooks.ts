import type { Container, LifecycleHandler, Pod } from '#api/generated/types.ts';
import type { PodServices } from '../pod/services.ts';
import { httpTarget } from '../probes/ports.ts';

export interface HookRequest {
  readonly pod: Pod;
  readonly container: Container;
  readonly containerId: string;
  readonly podIp: string;
  readonly handler: LifecycleHandler;
  readonly timeoutMs: number;
}

const USER_AGENT = 'kube-lifecycle/1.36';

/** Runs a lifecycle hook to its end. Undefined: it succeeded; else what went wrong. */
export async function runHook(
  services: Pick<PodServices, 'clock' | 'runtime' | 'transport'>,
  request: HookRequest,
): Promise<string | undefined> {
  const { handler, container, containerId, podIp, timeoutMs } = request;
  try {
    if (handler.exec !== undefined) {
      const result = await services.runtime.execSync(containerId, handler.exec.command ?? [], { timeoutMs });
      if (result.timedOut) return 'command timed out';
      const output = Buffer.concat([result.stdout, result.stderr]).toString();
      return result.exitCode === 0 ? undefined : `command exited with ${result.exitCode}: ${output}`;
    }
    if (handler.httpGet !== undefined) {
      const target = httpTarget(handler.httpGet, { container, podIp, userAgent: USER_AGENT });
      if (typeof target === 'string') return target;
      const outcome = await services.transport.http(target, { timeoutMs });
      // Any answer will do; only a hook that could not be delivered has failed.
      return outcome.result === 'success' || outcome.output.startsWith('HTTP probe failed')
        ? undefined
        : outcome.output;
    }
    if (handler.sleep !== undefined) {
      await services.clock.sleep(Math.min(handler.sleep.seconds * 1000, timeoutMs));
      return undefined;
    }
    return `invalid handler: ${JSON.stringify(handler)}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
