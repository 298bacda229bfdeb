import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { isDns1123Subdomain, isPathSegmentName } from '#machinery/validation/names.ts';
import { column, nameColumn } from '../../columns/common.ts';
import { IP_ADDRESSES } from '../../generated/resources.ts';
import type { IPAddress } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { canonicalIpMessages } from '../../validation/ip.ts';
import { checkSegment } from './ingress.ts';
import { partly } from '../../validation/partly.ts';

const parentPath = new FieldPath('spec').child('parentRef');

/** Labels of the addresses that the API server itself hands out. */
export const IP_FAMILY_LABEL = 'ipaddress.kubernetes.io/ip-family';
export const IP_MANAGED_BY_LABEL = 'ipaddress.kubernetes.io/managed-by';

export const ipAddresses = defineKind(IP_ADDRESSES, {
  strategy: {
    validateName: (name) => canonicalIpMessages(name),
    validate,
    validateUpdate: (next, current) =>
      deepEqual(next.spec?.parentRef, current.spec?.parentRef)
        ? []
        : immutableField(next.spec?.parentRef, current.spec?.parentRef, parentPath),
  },
  columns: [nameColumn, column('ParentRef', 'The reference to the resource that is using the IP address.', parentCell)],
});

function parentCell({ spec }: IPAddress): string {
  const ref = spec?.parentRef;
  if (ref === undefined) return '<none>';
  const { group = '', resource = '', namespace = '', name = '' } = partly(ref);
  return `${group === '' ? resource : `${resource}.${group}`}/${namespace === '' ? name : `${namespace}/${name}`}`;
}

function validate({ spec }: IPAddress): FieldError[] {
  const errors: FieldErrors = [];
  const ref = spec?.parentRef;
  if (ref === undefined) return [required(parentPath, '')];
  const { group = '', resource, namespace = '', name } = ref;
  if (group !== '') checkMessages(isDns1123Subdomain(group), group, parentPath.child('group'), errors);
  checkSegment(resource, parentPath.child('resource'), errors);
  checkSegment(name, parentPath.child('name'), errors);
  if (namespace !== '') checkMessages(isPathSegmentName(namespace), namespace, parentPath.child('namespace'), errors);
  return errors;
}
