import { deepCopy } from '#machinery/codec/deep.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type {
  Device,
  DeviceRequest,
  ResourceClaim,
  ResourceClaimTemplate,
  ResourceSlice,
  V1beta1Device,
  V1beta1DeviceRequest,
  V1beta1ResourceClaim,
  V1beta1ResourceClaimTemplate,
  V1beta1ResourceSlice,
} from '../../generated/types.ts';
import type { ShapeConversion } from '../../registry/other-shape.ts';

/**
 * In v1beta1 the fields of an exact request stand in the request itself, and those of a device under `basic`. Every
 * function here gets objects of its own kind from the registry, so the casts are safe; they change only a copy.
 */

export const claimConversion: ShapeConversion = {
  toStored: (served) => {
    const object = deepCopy(served) as V1beta1ResourceClaim;
    eachRequest(object.spec?.devices, toExact);
    return object;
  },
  fromStored: (stored) => {
    const object = deepCopy(stored) as ResourceClaim;
    eachRequest(object.spec?.devices, fromExact);
    return object;
  },
};

export const templateConversion: ShapeConversion = {
  toStored: (served) => {
    const object = deepCopy(served) as V1beta1ResourceClaimTemplate;
    eachRequest(object.spec?.spec?.devices, toExact);
    return object;
  },
  fromStored: (stored) => {
    const object = deepCopy(stored) as ResourceClaimTemplate;
    eachRequest(object.spec?.spec?.devices, fromExact);
    return object;
  },
};

export const sliceConversion: ShapeConversion = {
  toStored: (served) => {
    const object = deepCopy(served) as V1beta1ResourceSlice;
    return withDevices(
      object,
      object.spec?.devices?.map(({ name, basic }): Device => ({ name, ...basic })),
    );
  },
  fromStored: (stored) => {
    const object = deepCopy(stored) as ResourceSlice;
    return withDevices(
      object,
      object.spec?.devices?.map(({ name, ...basic }): V1beta1Device => ({ name, basic })),
    );
  },
};

function withDevices(object: V1beta1ResourceSlice | ResourceSlice, devices: unknown[] | undefined): KubeObject {
  if (devices === undefined) return object;
  return Object.assign(object, { spec: { ...object.spec, devices } });
}

function eachRequest<From, To>(claim: { requests?: From[] } | undefined, convert: (request: From) => To): void {
  if (claim?.requests === undefined) return;
  Object.assign(claim, { requests: claim.requests.map(convert) });
}

function toExact({ name, firstAvailable, ...exactly }: V1beta1DeviceRequest): DeviceRequest {
  const hasExact = Object.keys(exactly).length > 0 && (firstAvailable === undefined || exactly.deviceClassName !== '');
  return {
    name,
    ...(hasExact && { exactly: { ...exactly, deviceClassName: exactly.deviceClassName ?? '' } }),
    ...(firstAvailable !== undefined && { firstAvailable }),
  };
}

function fromExact({ name, firstAvailable, exactly }: DeviceRequest): V1beta1DeviceRequest {
  return { name, ...exactly, ...(firstAvailable !== undefined && { firstAvailable }) };
}
