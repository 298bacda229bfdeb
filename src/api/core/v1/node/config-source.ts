import { forbiddenValue, invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isConfigMapKey, isDns1123Label, isDns1123Subdomain } from '#machinery/validation/names.ts';
import type { NodeConfigSource } from '../../../generated/types.ts';
import { checkMessages, type FieldErrors } from '../../../validation/basics.ts';
import { partly } from '../../../validation/partly.ts';

const names = [
  ['namespace', isDns1123Label],
  ['name', isDns1123Subdomain],
  ['kubeletConfigKey', isConfigMapKey],
] as const;

/** Where a kubelet once took its configuration from (KEP-281): nothing reads it, but it is still checked. */
export function checkConfigSource(
  source: NodeConfigSource,
  path: FieldPath,
  { ofStatus, errors }: { ofStatus: boolean; errors: FieldErrors },
): void {
  const map = partly(source.configMap);
  if (source.configMap === undefined) {
    errors.push(invalidValue(path, { ConfigMap: null }, 'exactly one reference subfield must be non-nil'));
    return;
  }
  const at = path.child('configMap');
  for (const field of ['uid', 'resourceVersion'] as const) {
    const isSet = (map[field] ?? '') !== '';
    if (ofStatus && !isSet) errors.push(required(at.child(field), `${field} must be set in status`));
    if (!ofStatus && isSet) errors.push(forbiddenValue(at.child(field), `${field} must not be set in spec`));
  }
  for (const [field, check] of names) {
    const value = map[field] ?? '';
    if (value === '') errors.push(required(at.child(field), `${field} must be set`));
    else checkMessages(check(value), value, at.child(field), errors);
  }
}
