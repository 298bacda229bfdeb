import { type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Subdomain } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { STORAGE_VERSIONS_V1ALPHA1 } from '../../generated/resources.ts';
import type { V1alpha1ServerStorageVersion, V1alpha1StorageVersion } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { partly } from '../../validation/partly.ts';

const statusPath = new FieldPath('status');

export const storageVersions = defineKind(STORAGE_VERSIONS_V1ALPHA1, {
  strategy: { ...statusRules, allowUnconditionalUpdate: false, validateStatusUpdate: checkStatus },
  columns: [
    nameColumn,
    column(
      'CommonEncodingVersion',
      'commonEncodingVersion is the version that all servers write.',
      ({ status }) => status?.commonEncodingVersion ?? '<unset>',
    ),
    column('StorageVersions', 'storageVersions are what each server writes.', storageCell),
    ageColumn,
  ],
});

function storageCell({ status }: V1alpha1StorageVersion): string {
  const shown = (status?.storageVersions ?? []).map((one) => `${one.apiServerID}=${one.encodingVersion}`);
  return shown.length === 0 ? '<unset>' : shown.join(',');
}

function checkStatus({ status }: V1alpha1StorageVersion): FieldError[] {
  const errors: FieldErrors = [];
  const servers = status?.storageVersions ?? [];
  for (const [index, server] of servers.entries()) {
    checkServer(server, statusPath.child('storageVersions').index(index), errors);
  }
  const common = status?.commonEncodingVersion;
  const agreed = new Set(servers.map(({ encodingVersion }) => encodingVersion));
  const path = statusPath.child('commonEncodingVersion');
  const [only = ''] = agreed;
  if (agreed.size === 1 && common !== only) {
    const detail = `should be one of server's encoding version: ${only}`;
    errors.push(invalidValue(path, common, detail));
  } else if (agreed.size !== 1 && common !== undefined) {
    errors.push(
      invalidValue(
        path,
        common,
        'should be nil if servers do not agree on the same encoding version, or if there is no server reporting the supported versions yet',
      ),
    );
  }
  return errors;
}

function checkServer(server: V1alpha1ServerStorageVersion, path: FieldPath, errors: FieldErrors): void {
  const { apiServerID = '', encodingVersion = '', decodableVersions = [] } = partly(server);
  checkMessages(isDns1123Subdomain(apiServerID), apiServerID, path.child('apiServerID'), errors);
  if (encodingVersion === '') errors.push(required(path.child('encodingVersion'), ''));
  else if (!decodableVersions.includes(encodingVersion)) {
    const detail = `decodableVersions must include encodingVersion ${encodingVersion}`;
    errors.push(invalidValue(path.child('decodableVersions'), decodableVersions, detail));
  }
}
