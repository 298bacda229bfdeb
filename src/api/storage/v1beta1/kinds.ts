import { VOLUME_ATTRIBUTES_CLASSES_V1BETA1 } from '../../generated/resources.ts';
import { sameShape } from '../../registry/same-shape.ts';
import { volumeAttributesClasses } from '../v1/volume-attributes-class.ts';

export const volumeAttributesClassesV1beta1 = sameShape(volumeAttributesClasses, VOLUME_ATTRIBUTES_CLASSES_V1BETA1);
