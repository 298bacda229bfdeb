import { isPodReady } from '#api/core/v1/pod/conditions.ts';
import type {
  CoreEndpointPort,
  EndpointAddress,
  Endpoints,
  EndpointSubset,
  Pod,
  Service,
} from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { addressTypesOf } from '../endpointslice/desired.ts';
import {
  endpointHostname,
  HEADLESS_LABEL,
  isEndpointPod,
  isHeadless,
  LAST_CHANGE_TRIGGER_TIME,
  podAddress,
  targetPortOf,
} from './pod-addresses.ts';

/** One Endpoints object holds at most this many addresses; beyond it is marked as truncated. */
const ADDRESSES_MAX = 1000;
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';
const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const MANAGER = 'endpoint-controller';

/** What was observed. */
export interface EndpointsInput {
  readonly service: Service;
  readonly pods: readonly Pod[];
  readonly stored: Endpoints | undefined;
  readonly triggerTime: string | undefined;
}

export type EndpointsPlan =
  | { readonly type: 'keep' }
  | { readonly type: 'create'; readonly next: Endpoints }
  | { readonly type: 'update'; readonly next: Endpoints };

/** The Endpoints object that a service should have. */
export function planEndpoints(input: EndpointsInput): EndpointsPlan {
  const { service, stored } = input;
  const { subsets, isTruncated } = truncate(packSubsets(input));
  const labels = labelsOf(service);
  const isSame =
    stored !== undefined &&
    deepEqual(stored.subsets ?? [], subsets) &&
    deepEqual(stored.metadata.labels ?? {}, labels) &&
    (stored.metadata.annotations?.[OVER_CAPACITY] === 'truncated') === isTruncated;
  if (isSame) return { type: 'keep' };
  const { [LAST_CHANGE_TRIGGER_TIME]: _, [OVER_CAPACITY]: __, ...others } = stored?.metadata.annotations ?? {};
  const annotations = {
    ...others,
    ...(input.triggerTime === undefined ? {} : { [LAST_CHANGE_TRIGGER_TIME]: input.triggerTime }),
    ...(isTruncated ? { [OVER_CAPACITY]: 'truncated' } : {}),
  };
  const base = stored?.metadata ?? { name: service.metadata.name ?? '', namespace: service.metadata.namespace ?? '' };
  const metadata = { ...base, labels, annotations };
  const next: Endpoints = { apiVersion: 'v1', kind: 'Endpoints', metadata, subsets };
  return stored === undefined ? { type: 'create', next } : { type: 'update', next };
}

function labelsOf(service: Service): Record<string, string> {
  const { [HEADLESS_LABEL]: _, ...inherited } = service.metadata.labels ?? {};
  return { ...inherited, [MANAGED_BY]: MANAGER, ...(isHeadless(service) ? { [HEADLESS_LABEL]: '' } : {}) };
}

interface Packed {
  readonly ports: CoreEndpointPort[];
  readonly ready: EndpointAddress[];
  readonly notReady: EndpointAddress[];
}

/** Pods with the same ports share a subset; subsets, addresses and ports are sorted, so that equal states are equal. */
function packSubsets({ service, pods }: EndpointsInput): EndpointSubset[] {
  const packed = new Map<string, Packed>();
  const [family] = addressTypesOf(service);
  const publishesAll = service.spec.publishNotReadyAddresses === true;
  for (const pod of pods) {
    const ip = isEndpointPod(pod, { includeTerminating: publishesAll }) ? podAddress(pod, family ?? 'IPv4') : undefined;
    if (ip === undefined) continue;
    const isHeadlessWithoutPorts = (service.spec.ports ?? []).length === 0 && isHeadless(service);
    const ports = portsOf(pod, service);
    if (ports.length === 0 && !isHeadlessWithoutPorts) continue;
    const key = JSON.stringify(ports);
    let subset = packed.get(key);
    if (subset === undefined) {
      subset = { ports, ready: [], notReady: [] };
      packed.set(key, subset);
    }
    const isReady = publishesAll || isPodReady(pod);
    if (!isReady && !belongsToUnready(pod)) continue;
    (isReady ? subset.ready : subset.notReady).push(addressOf(pod, service, ip));
  }
  return [...packed.entries()]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, subset]) => subset)
    .filter((subset) => subset.ready.length + subset.notReady.length > 0)
    .map(({ ports, ready, notReady }) => ({
      ...(ready.length === 0 ? {} : { addresses: ready.toSorted(byAddress) }),
      ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady.toSorted(byAddress) }),
      ...(ports.length === 0 ? {} : { ports }),
    }));
}

/** Pods that will not start again are no unready endpoints either. */
function belongsToUnready(pod: Pod): boolean {
  const phase = pod.status?.phase;
  switch (pod.spec.restartPolicy) {
    case 'Never':
      return phase !== 'Failed' && phase !== 'Succeeded';
    case 'OnFailure':
      return phase !== 'Succeeded';
    default:
      return true;
  }
}

function portsOf(pod: Pod, service: Service): CoreEndpointPort[] {
  return (service.spec.ports ?? [])
    .flatMap((port) => {
      const number = targetPortOf(pod, port);
      if (number === undefined) return [];
      return [
        {
          ...((port.name ?? '') === '' ? {} : { name: port.name ?? '' }),
          port: number,
          protocol: port.protocol ?? 'TCP',
          ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
        },
      ];
    })
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

function addressOf(pod: Pod, service: Service, ip: string): EndpointAddress {
  const hostname = endpointHostname(pod, service);
  const { namespace, name, uid } = pod.metadata;
  return {
    ip,
    ...(hostname === undefined ? {} : { hostname }),
    ...((pod.spec.nodeName ?? '') === '' ? {} : { nodeName: pod.spec.nodeName ?? '' }),
    targetRef: { kind: 'Pod', namespace: namespace ?? '', name: name ?? '', uid: uid ?? '' },
  };
}

function byAddress(a: EndpointAddress, b: EndpointAddress): number {
  if (a.ip !== b.ip) return a.ip < b.ip ? -1 : 1;
  return (a.targetRef?.uid ?? '') < (b.targetRef?.uid ?? '') ? -1 : 1;
}

/** Keeps ready addresses before others when there are too many. */
function truncate(subsets: EndpointSubset[]): { subsets: EndpointSubset[]; isTruncated: boolean } {
  const count = (list: EndpointAddress[] | undefined): number => list?.length ?? 0;
  const total = subsets.reduce((sum, one) => sum + count(one.addresses) + count(one.notReadyAddresses), 0);
  if (total <= ADDRESSES_MAX) return { subsets, isTruncated: false };
  let readyRoom = ADDRESSES_MAX;
  const ready = subsets.map((subset) => {
    const kept = (subset.addresses ?? []).slice(0, readyRoom);
    readyRoom -= kept.length;
    return kept;
  });
  let room = readyRoom;
  const cut = subsets.map((subset, index) => {
    const kept = ready[index] ?? [];
    const notReady = (subset.notReadyAddresses ?? []).slice(0, room);
    room -= notReady.length;
    return {
      ...(kept.length === 0 ? {} : { addresses: kept }),
      ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady }),
      ...(subset.ports === undefined ? {} : { ports: subset.ports }),
    };
  });
  return { subsets: cut.filter((one) => count(one.addresses) + count(one.notReadyAddresses) > 0), isTruncated: true };
}
