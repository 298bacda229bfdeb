import type { FieldPath } from '#machinery/field/field-path.ts';
import { required } from '#machinery/field/field-error.ts';
import { isDns1123Label, isDns1123Subdomain } from '#machinery/validation/names.ts';
import type { CSIPersistentVolumeSource } from '../../../generated/types.ts';
import { checkMessages, type FieldErrors } from '../../../validation/basics.ts';
import { checkFilled } from './network-sources.ts';

const secretFields = [
  'controllerPublishSecretRef',
  'controllerExpandSecretRef',
  'nodePublishSecretRef',
  'nodeExpandSecretRef',
] as const;

/** A volume of a CSI driver, but for the driver's name. */
export function checkPersistentCsi(source: CSIPersistentVolumeSource, path: FieldPath, errors: FieldErrors): void {
  checkFilled(source, ['volumeHandle'], path, errors);
  for (const field of secretFields) {
    const secret = source[field];
    if (secret === undefined) continue;
    const at = path.child(field);
    const { name = '', namespace = '' } = secret;
    if (name === '') errors.push(required(at.child('name'), ''));
    else checkMessages(isDns1123Subdomain(name), name, at.child('name'), errors);
    if (namespace === '') errors.push(required(at.child('namespace'), ''));
    else checkMessages(isDns1123Label(namespace), namespace, at.child('namespace'), errors);
  }
}
