import { IP_ADDRESSES_V1BETA1, SERVICE_CIDRS_V1BETA1 } from '../../generated/resources.ts';
import { sameShape } from '../../registry/same-shape.ts';
import { ipAddresses } from '../v1/ip-address.ts';
import { serviceCidrs } from '../v1/service-cidr.ts';

export const ipAddressesV1beta1 = sameShape(ipAddresses, IP_ADDRESSES_V1BETA1);
export const serviceCidrsV1beta1 = sameShape(serviceCidrs, SERVICE_CIDRS_V1BETA1);
