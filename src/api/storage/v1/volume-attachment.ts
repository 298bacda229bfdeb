import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, forbiddenValue, invalidValue, required, tooLong } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Subdomain } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { VOLUME_ATTACHMENTS } from '../../generated/resources.ts';
import type { VolumeAttachment, VolumeError } from '../../generated/types.ts';
import { keepMetadata, statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors, IMMUTABLE } from '../../validation/basics.ts';
import { checkDriverName } from './csi-validation.ts';
import { partly } from '../../validation/partly.ts';

const specPath = new FieldPath('spec');
const statusPath = new FieldPath('status');
const EITHER_SOURCE = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
const METADATA_BYTES_MAX = 256 * 1024;
const MESSAGE_BYTES_MAX = 1024;

export const volumeAttachments = defineKind(VOLUME_ATTACHMENTS, {
  strategy: {
    allowUnconditionalUpdate: false,
    ...statusRules,
    prepareForCreate(next) {
      next.status = { attached: false };
    },
    prepareForStatusUpdate(next, current) {
      statusRules.prepareForStatusUpdate(next, current);
      keepMetadata(next, current);
    },
    validate,
    validateUpdate: (next, current) => [...validate(next), ...checkUpdate(next, current)],
    validateStatusUpdate: checkStatus,
  },
  columns: [
    nameColumn,
    column(
      'Attacher',
      'attacher is the name of the volume driver that handles the request.',
      ({ spec }) => spec.attacher,
      {
        format: 'name',
      },
    ),
    column(
      'PV',
      'source represents the volume that should be attached.',
      ({ spec }) => spec.source.persistentVolumeName ?? '',
    ),
    column('Node', 'nodeName represents the node that the volume should be attached to.', ({ spec }) => spec.nodeName),
    column('Attached', 'Whether the volume is attached.', ({ status }) => status?.attached ?? false, {
      type: 'boolean',
    }),
    ageColumn,
  ],
});

function validate(attachment: VolumeAttachment): FieldError[] {
  const errors: FieldErrors = [];
  const { attacher, nodeName = '', source = {} } = partly(attachment.spec);
  const { inlineVolumeSpec, persistentVolumeName } = source;
  const sourcePath = specPath.child('source');
  if (inlineVolumeSpec === undefined && persistentVolumeName === undefined) {
    errors.push(required(sourcePath, EITHER_SOURCE));
  } else if (inlineVolumeSpec !== undefined && persistentVolumeName !== undefined) {
    errors.push(forbiddenValue(sourcePath, EITHER_SOURCE));
  } else if (persistentVolumeName === '') {
    const at = sourcePath.child('persistentVolumeName');
    errors.push(required(at, 'must specify non empty persistentVolumeName'));
  }
  checkMessages(isDns1123Subdomain(nodeName), nodeName, specPath.child('nodeName'), errors);
  errors.push(...checkStatus(attachment));
  checkDriverName(attacher, specPath.child('attacher'), errors);
  if (persistentVolumeName !== undefined && persistentVolumeName !== '') {
    const at = sourcePath.child('persistentVolumeName');
    checkMessages(isDns1123Subdomain(persistentVolumeName), persistentVolumeName, at, errors);
  }
  return errors;
}

function checkStatus({ status }: VolumeAttachment): FieldError[] {
  const errors: FieldErrors = [];
  const entries = Object.entries(status?.attachmentMetadata ?? {});
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  const path = statusPath.child('attachmentMetadata');
  if (bytes > METADATA_BYTES_MAX) errors.push(tooLong(path, METADATA_BYTES_MAX));
  checkError(status?.attachError, statusPath.child('attachError'), errors);
  checkError(status?.detachError, statusPath.child('detachError'), errors);
  return errors;
}

function checkError(error: VolumeError | undefined, path: FieldPath, errors: FieldErrors): void {
  if (Buffer.byteLength(error?.message ?? '') > MESSAGE_BYTES_MAX) {
    errors.push(tooLong(path.child('message'), MESSAGE_BYTES_MAX));
  }
}

function checkUpdate({ spec }: VolumeAttachment, current: VolumeAttachment): FieldError[] {
  return deepEqual(spec, current.spec) ? [] : [invalidValue(specPath, spec, IMMUTABLE)];
}
