import {
  DEVICE_CLASSES_V1BETA1,
  RESOURCE_CLAIM_TEMPLATES_V1BETA1,
  RESOURCE_CLAIMS_V1BETA1,
  RESOURCE_SLICES_V1BETA1,
} from '../../generated/resources.ts';
import { otherShape } from '../../registry/other-shape.ts';
import { sameShape } from '../../registry/same-shape.ts';
import { deviceClasses } from '../v1/device-class.ts';
import { resourceClaims, resourceClaimTemplates } from '../v1/resource-claim.ts';
import { resourceSlices } from '../v1/resource-slice.ts';
import { claimConversion, sliceConversion, templateConversion } from './conversion.ts';

export const deviceClassesV1beta1 = sameShape(deviceClasses, DEVICE_CLASSES_V1BETA1);
export const resourceClaimsV1beta1 = otherShape(resourceClaims, RESOURCE_CLAIMS_V1BETA1, claimConversion);
export const resourceClaimTemplatesV1beta1 = otherShape(
  resourceClaimTemplates,
  RESOURCE_CLAIM_TEMPLATES_V1BETA1,
  templateConversion,
);
export const resourceSlicesV1beta1 = otherShape(resourceSlices, RESOURCE_SLICES_V1BETA1, sliceConversion);
