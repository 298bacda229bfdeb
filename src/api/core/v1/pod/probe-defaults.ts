import type { HTTPGetAction, Lifecycle, Probe } from '../../../generated/types.ts';

export function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  if (probe.httpGet !== undefined) defaultHttpGet(probe.httpGet);
  if (probe.grpc !== undefined) probe.grpc.service ??= '';
}

export function defaultLifecycle(lifecycle: Lifecycle): void {
  if (lifecycle.postStart?.httpGet !== undefined) defaultHttpGet(lifecycle.postStart.httpGet);
  if (lifecycle.preStop?.httpGet !== undefined) defaultHttpGet(lifecycle.preStop.httpGet);
}

function defaultHttpGet(action: HTTPGetAction): void {
  action.path ||= '/';
  action.scheme ||= 'HTTP';
}
