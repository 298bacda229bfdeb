import type { Probe } from '#api/generated/types.ts';
import type { ProbeOutcome, ProberDeps, ProberTarget } from './contract.ts';
import { httpTarget, resolvePort } from './ports.ts';
import { goDuration } from '../pod/go-duration.ts';

// More output than this helps nobody and must fit into an event.
const OUTPUT_BYTES_MAX = 10 * 1024;

/** The user agent by which servers know a probe. */
export const PROBE_USER_AGENT = 'kube-probe/1.36';

/** Runs a probe once. Never throws: what goes wrong is an outcome. */
export async function runProbe(deps: ProberDeps, target: ProberTarget, probe: Probe): Promise<ProbeOutcome> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  try {
    if (probe.exec !== undefined)
      return await execProbe(deps, target, { command: probe.exec.command ?? [], timeoutMs });
    if (probe.httpGet !== undefined) {
      const { container, podIp } = target;
      const http = httpTarget(probe.httpGet, { container, podIp, userAgent: PROBE_USER_AGENT });
      return typeof http === 'string' ? unknown(http) : await deps.transport.http(http, { timeoutMs });
    }
    if (probe.tcpSocket !== undefined) {
      const port = resolvePort(probe.tcpSocket.port, target.container);
      const host = probe.tcpSocket.host || target.podIp;
      return typeof port === 'string' ? unknown(port) : await deps.transport.tcp({ host, port }, { timeoutMs });
    }
    if (probe.grpc !== undefined) {
      const { port, service = '' } = probe.grpc;
      return await deps.transport.grpc({ host: target.podIp, port, service }, { timeoutMs });
    }
    return unknown(`missing probe handler for ${target.container.name}`);
  } catch (error) {
    return unknown(error instanceof Error ? error.message : String(error));
  }
}

async function execProbe(
  deps: ProberDeps,
  target: ProberTarget,
  { command, timeoutMs }: { command: readonly string[]; timeoutMs: number },
): Promise<ProbeOutcome> {
  const result = await deps.runtime.execSync(target.containerId, command, { timeoutMs });
  if (result.timedOut) {
    const text = `command timed out: "${command.join(' ')}" timed out after ${goDuration(timeoutMs)}`;
    return { result: 'failure', output: text };
  }
  const output = Buffer.concat([result.stdout, result.stderr]).subarray(0, OUTPUT_BYTES_MAX).toString();
  return { result: result.exitCode === 0 ? 'success' : 'failure', output };
}

function unknown(output: string): ProbeOutcome {
  return { result: 'unknown', output };
}
