import { invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { checkRange, type FieldErrors } from '../../../validation/basics.ts';

/** Names of initiators and targets (RFC 3720, section 3.2.6.3). Unanchored at the beginning, as upstream's. */
const formats: Readonly<Record<string, RegExp>> = {
  iqn: /iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$/,
  eui: /^eui.[A-Za-z0-9]{16}$/,
  naa: /^naa.[A-Za-z0-9]{32}$/,
};
const NAME_AND_PORTAL_MAX = 64;
const TOO_LONG =
  'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.';

export interface IscsiSource {
  readonly targetPortal: string;
  readonly iqn: string;
  readonly lun: number;
  readonly chapAuthDiscovery?: boolean;
  readonly chapAuthSession?: boolean;
  readonly initiatorName?: string;
  readonly secretRef?: { readonly name?: string };
}

interface IscsiOptions {
  readonly volumeName: string;
  readonly isPersistent: boolean;
  readonly errors: FieldErrors;
}

/** `path` is the source's own; a pod's volume that is too long together with its portal is reported at its name. */
export function checkIscsi(source: IscsiSource, path: FieldPath, parent: FieldPath, options: IscsiOptions): void {
  const { volumeName, isPersistent, errors } = options;
  if ((source.targetPortal ?? '') === '') errors.push(required(path.child('targetPortal'), ''));
  const isTooLong =
    source.initiatorName !== undefined && `${volumeName}:${source.targetPortal ?? ''}`.length > NAME_AND_PORTAL_MAX;
  if (isTooLong && isPersistent) errors.push(invalidValue(path.child('targetportal'), source.targetPortal, TOO_LONG));
  const unknownFormat = isPersistent ? 'must be valid format' : 'must be valid format starting with iqn, eui, or naa';
  if ((source.iqn ?? '') === '') errors.push(required(path.child('iqn'), ''));
  else checkName(source.iqn, path.child('iqn'), unknownFormat, errors);
  checkRange(source.lun ?? 0, { min: 0, max: 255 }, path.child('lun'), errors);
  const needsSecret = source.chapAuthDiscovery === true || source.chapAuthSession === true;
  if (needsSecret && source.secretRef === undefined) errors.push(required(path.child('secretRef'), ''));
  if (isPersistent && source.secretRef !== undefined && (source.secretRef.name ?? '') === '') {
    errors.push(required(path.child('secretRef', 'name'), ''));
  }
  if (source.initiatorName !== undefined) {
    checkName(source.initiatorName, path.child('initiatorname'), unknownFormat, errors);
  }
  if (isTooLong && !isPersistent) errors.push(invalidValue(parent.child('name'), volumeName, TOO_LONG));
}

function checkName(name: string, path: FieldPath, unknownFormat: string, errors: FieldErrors): void {
  const format = formats[name.slice(0, 3)];
  if (format === undefined) errors.push(invalidValue(path, name, unknownFormat));
  else if (!format.test(name)) errors.push(invalidValue(path, name, 'must be valid format'));
}
