import type { Pod, Service, ServicePort } from '#api/generated/types.ts';

/** Whether a pod can be an endpoint at all: it has an address and has not ended. */
export function isEndpointPod(pod: Pod, options: { includeTerminating: boolean }): boolean {
  const phase = pod.status?.phase;
  if (phase === 'Succeeded' || phase === 'Failed') return false;
  if ((pod.status?.podIP ?? '') === '' && (pod.status?.podIPs ?? []).length === 0) return false;
  return options.includeTerminating || pod.metadata.deletionTimestamp === undefined;
}

/** The pod's number for a service port, or undefined where no container declares the named port. */
export function targetPortOf(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target === 0 ? port.port : target;
  const protocol = port.protocol ?? 'TCP';
  const sidecars = (pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  for (const container of [...pod.spec.containers, ...sidecars]) {
    const found = container.ports?.find((entry) => entry.name === target && (entry.protocol ?? 'TCP') === protocol);
    if (found !== undefined) return found.containerPort;
  }
  return undefined;
}

/** The host name by which DNS finds the pod under a headless service, where it has one. */
export function endpointHostname(pod: Pod, service: Service): string | undefined {
  const hostname = pod.spec.hostname ?? '';
  const isMember =
    pod.spec.subdomain === service.metadata.name && pod.metadata.namespace === service.metadata.namespace;
  return hostname !== '' && isMember ? hostname : undefined;
}

/** Any of the pod's addresses of one family. */
export function podAddress(pod: Pod, family: 'IPv4' | 'IPv6'): string | undefined {
  const all = [...(pod.status?.podIPs ?? []).map((entry) => entry.ip), pod.status?.podIP ?? ''];
  return all.find((ip) => ip !== '' && ip.includes(':') === (family === 'IPv6'));
}

export function isHeadless(service: Service): boolean {
  return service.spec.clusterIP === 'None';
}

/** Annotation with the time of the change that a write answers; the latency of endpoints is measured by it. */
export const LAST_CHANGE_TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';
export const HEADLESS_LABEL = 'service.kubernetes.io/headless';
