import { ipAddressesV1beta1, serviceCidrsV1beta1 } from '../networking/v1beta1/kinds.ts';
import { volumeAttributesClassesV1beta1 } from '../storage/v1beta1/kinds.ts';
import type { KindRules } from './kind.ts';

/** Kinds of alpha and beta versions, which a server only serves when asked to. One line a kind. */
export const optionalKinds: readonly KindRules[] = [
  ipAddressesV1beta1,
  serviceCidrsV1beta1,
  volumeAttributesClassesV1beta1,
];
