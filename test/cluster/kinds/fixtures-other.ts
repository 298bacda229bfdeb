import type { Fixture } from './fixture.ts';

const candidate: Fixture = {
  body: {
    spec: {
      leaseName: 'lease',
      binaryVersion: '1.36.0',
      emulationVersion: '1.36.0',
      strategy: 'OldestEmulationVersion',
    },
  },
};
const parentRef = { group: '', resource: 'services', name: 's', namespace: 'default' };
const ipAddress = (name: string, second: string): Fixture => ({ name, second, body: { spec: { parentRef } } });
const deviceClass: Fixture = {
  body: { spec: { selectors: [{ cel: { expression: 'device.driver == "a"' } }] } },
  change: { spec: { selectors: [{ cel: { expression: 'device.driver == "b"' } }] } },
};
const exactly = { name: 'gpu', exactly: { deviceClassName: 'gpu.example.com' } };
const flat = { name: 'gpu', deviceClassName: 'gpu.example.com' };
const claim = (request: object): Fixture => ({ body: { spec: { devices: { requests: [request] } } } });
const claimTemplate = (request: object): Fixture => ({
  body: { spec: { spec: { devices: { requests: [request] } } } },
});
const slice = (device: object): Fixture => ({
  body: {
    spec: {
      driver: 'gpu.example.com',
      nodeName: 'n',
      pool: { name: 'p', generation: 1, resourceSliceCount: 1 },
      devices: [device],
    },
  },
  change: { spec: { pool: { generation: 2 } } },
});
const taintRule: Fixture = {
  body: { spec: { deviceSelector: { driver: 'd.example.com' }, taint: { key: 'k', value: 'v', effect: 'NoExecute' } } },
  change: { spec: { taint: { value: 'w' } } },
};
const attributesClass: Fixture = { body: { driverName: 'csi.example.com', parameters: { iops: '1' } } };
const serviceCidr = (cidr: string, other: string): Fixture => ({
  body: { spec: { cidrs: [cidr] } },
  secondBody: { spec: { cidrs: [other] } },
});

/** Networking, storage, devices, scheduling and the rest. */
export const otherFixtures: Readonly<Record<string, Fixture>> = {
  'coordination.k8s.io/v1/leases': { body: { spec: { holderIdentity: 'me', leaseDurationSeconds: 15 } } },
  'coordination.k8s.io/v1alpha2/leasecandidates': candidate,
  'coordination.k8s.io/v1beta1/leasecandidates': candidate,
  'discovery.k8s.io/v1/endpointslices': {
    body: { addressType: 'IPv4', endpoints: [{ addresses: ['10.1.2.3'] }], ports: [{ name: '', port: 80 }] },
    change: { endpoints: [{ addresses: ['10.1.2.4'] }] },
  },
  'events.k8s.io/v1/events': {
    body: {
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'example.com/me',
      reportingInstance: 'me-1',
      action: 'Act',
      reason: 'R',
      type: 'Normal',
      regarding: { kind: 'Pod', name: 'p', namespace: 'default' },
    },
  },
  'networking.k8s.io/v1/ingressclasses': {
    body: { spec: { controller: 'example.com/c' } },
    change: { spec: { parameters: { kind: 'K', name: 'n', scope: 'Cluster' } } },
  },
  'networking.k8s.io/v1/ingresses': {
    body: { spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } } },
    change: { spec: { ingressClassName: 'x' } },
  },
  'networking.k8s.io/v1/ipaddresses': ipAddress('10.77.0.1', '10.77.0.2'),
  'networking.k8s.io/v1beta1/ipaddresses': ipAddress('10.77.0.3', '10.77.0.4'),
  'networking.k8s.io/v1/networkpolicies': {
    body: { spec: { podSelector: {} } },
    change: { spec: { policyTypes: ['Egress'] } },
  },
  'networking.k8s.io/v1/servicecidrs': serviceCidr('10.77.0.0/24', '10.78.0.0/24'),
  'networking.k8s.io/v1beta1/servicecidrs': serviceCidr('10.79.0.0/24', '10.80.0.0/24'),
  'node.k8s.io/v1/runtimeclasses': { body: { handler: 'h' } },
  'resource.k8s.io/v1/deviceclasses': deviceClass,
  'resource.k8s.io/v1beta1/deviceclasses': deviceClass,
  'resource.k8s.io/v1beta2/deviceclasses': deviceClass,
  'resource.k8s.io/v1/resourceclaims': claim(exactly),
  'resource.k8s.io/v1beta1/resourceclaims': claim(flat),
  'resource.k8s.io/v1beta2/resourceclaims': claim(exactly),
  'resource.k8s.io/v1/resourceclaimtemplates': claimTemplate(exactly),
  'resource.k8s.io/v1beta1/resourceclaimtemplates': claimTemplate(flat),
  'resource.k8s.io/v1beta2/resourceclaimtemplates': claimTemplate(exactly),
  'resource.k8s.io/v1/resourceslices': slice({ name: 'd0' }),
  'resource.k8s.io/v1beta1/resourceslices': slice({ name: 'd0', basic: {} }),
  'resource.k8s.io/v1beta2/resourceslices': slice({ name: 'd0' }),
  'resource.k8s.io/v1alpha3/devicetaintrules': taintRule,
  'resource.k8s.io/v1beta2/devicetaintrules': taintRule,
  'resource.k8s.io/v1alpha3/resourcepoolstatusrequests': {
    body: { spec: { driver: 'gpu.example.com' } },
    isFixed: true,
  },
  'scheduling.k8s.io/v1/priorityclasses': { body: { value: 10 }, isFixed: true },
  'scheduling.k8s.io/v1alpha2/podgroups': { body: { spec: { schedulingPolicy: { basic: {} } } }, isFixed: true },
  'scheduling.k8s.io/v1alpha2/workloads': {
    body: { spec: { podGroupTemplates: [{ name: 'pg', schedulingPolicy: { basic: {} } }] } },
    isFixed: true,
  },
  'storage.k8s.io/v1/csidrivers': { body: { spec: {} }, change: { spec: { requiresRepublish: true } } },
  'storage.k8s.io/v1/csinodes': { body: { spec: { drivers: [{ name: 'd', nodeID: 'n' }] } } },
  'storage.k8s.io/v1/csistoragecapacities': { body: { storageClassName: 'fast', capacity: '1Gi' } },
  'storage.k8s.io/v1/storageclasses': { body: { provisioner: 'example.com/p' } },
  'storage.k8s.io/v1/volumeattachments': {
    body: { spec: { attacher: 'a', nodeName: 'n', source: { persistentVolumeName: 'pv' } } },
  },
  'storage.k8s.io/v1/volumeattributesclasses': attributesClass,
  'storage.k8s.io/v1beta1/volumeattributesclasses': attributesClass,
};
