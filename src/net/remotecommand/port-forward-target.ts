import type { Duplex } from 'node:stream';

/** What a port-forward connects to. */
export interface PortForwardTarget {
  /** A new connection to the port in the pod; what it throws is told to the client on the error stream. */
  readonly open: (port: number) => Promise<Duplex>;
  /** `NAME_NAMESPACE` and uid, for the error text. */
  readonly podName: string;
  readonly podUid: string;
}

/** `error forwarding port …`, as the kubelet says it. */
export function forwardError(port: number, target: PortForwardTarget, error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  return `error forwarding port ${port} to pod ${target.podName}, uid ${target.podUid}: ${reason}`;
}
