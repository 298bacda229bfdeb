import type { Service, ServicePort } from '#api/generated/types.ts';

const MASTER_SERVICE = { namespace: 'default', name: 'kubernetes' };

/** The variables `NAME_SERVICE_HOST` and so on of the services that a pod is linked to. */
export function serviceVariables(
  services: readonly Service[],
  pod: { namespace: string; isLinked: boolean },
): Map<string, string> {
  const variables = new Map<string, string>();
  const named = new Map<string, Service>();
  for (const service of services) {
    const { name = '', namespace = '' } = service.metadata;
    const address = service.spec.clusterIP ?? '';
    if (address === '' || address === 'None') continue;
    const isMaster = namespace === MASTER_SERVICE.namespace && name === MASTER_SERVICE.name;
    if (pod.isLinked && namespace === pod.namespace) named.set(name, service);
    else if (isMaster && !named.has(name)) named.set(name, service);
  }
  for (const [name, service] of [...named].sort(([left], [right]) => (left < right ? -1 : 1))) {
    addService(variables, name, service);
  }
  return variables;
}

function addService(variables: Map<string, string>, serviceName: string, service: Service): void {
  const name = variableName(serviceName);
  const host = service.spec.clusterIP ?? '';
  const ports = service.spec.ports ?? [];
  const [first] = ports;
  variables.set(`${name}_SERVICE_HOST`, host);
  if (first === undefined) return;
  variables.set(`${name}_SERVICE_PORT`, String(first.port));
  for (const port of ports) {
    if (port.name !== undefined && port.name !== '') {
      variables.set(`${name}_SERVICE_PORT_${variableName(port.name)}`, String(port.port));
    }
  }
  variables.set(`${name}_PORT`, url(host, first));
  for (const port of ports) {
    const prefix = `${name}_PORT_${port.port}_${protocolOf(port)}`;
    variables.set(prefix, url(host, port));
    variables.set(`${prefix}_PROTO`, protocolOf(port).toLowerCase());
    variables.set(`${prefix}_PORT`, String(port.port));
    variables.set(`${prefix}_ADDR`, host);
  }
}

function variableName(name: string): string {
  return name.replaceAll('-', '_').toUpperCase();
}

function protocolOf(port: ServicePort): string {
  return port.protocol ?? 'TCP';
}

function url(host: string, port: ServicePort): string {
  return `${protocolOf(port).toLowerCase()}://${host.includes(':') ? `[${host}]` : host}:${port.port}`;
}
