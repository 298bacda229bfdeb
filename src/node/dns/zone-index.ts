import type { EndpointSlice, Namespace, Service } from '#api/generated/types.ts';
import { objectKey } from '#machinery/meta/types.ts';
import type { ProxySource } from '../proxy/routes-source.ts';
import type { ZoneView } from './zone.ts';

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** A `ZoneView` on three caches, with the indexes it needs. */
export function createZoneView(sources: {
  services: ProxySource<Service>;
  slices: ProxySource<EndpointSlice>;
  namespaces: ProxySource<Namespace>;
}): ZoneView {
  const { services, slices, namespaces } = sources;
  services.addIndex('dns-ip', (service) => (service.spec?.clusterIPs ?? []).filter((ip) => ip !== 'None' && ip !== ''));
  slices.addIndex('dns-service', (slice) => {
    const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    return name === undefined ? [] : [`${slice.metadata.namespace ?? ''}/${name}`];
  });
  slices.addIndex('dns-ip', (slice) => (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses));
  return {
    service: (namespace, name) => services.get(`${namespace}/${name}`),
    hasNamespace: (namespace) => namespaces.get(namespace) !== undefined,
    slices: (namespace, serviceName) => slices.byIndex('dns-service', `${namespace}/${serviceName}`),
    serviceByIp: (ip) => services.byIndex('dns-ip', ip)[0],
    endpointByIp: (ip) => {
      // Several services may name the same pod; the first by key, so that answers do not flap.
      const [slice] = [...slices.byIndex('dns-ip', ip)].sort((a, b) => (objectKey(a) < objectKey(b) ? -1 : 1));
      const endpoint = slice?.endpoints?.find((candidate) => candidate.addresses.includes(ip));
      if (slice === undefined || endpoint === undefined) return undefined;
      return { slice, ...(endpoint.hostname === undefined ? {} : { hostname: endpoint.hostname }) };
    },
  };
}
