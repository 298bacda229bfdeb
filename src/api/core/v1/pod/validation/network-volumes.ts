import type { FieldPath } from '#machinery/field/field-path.ts';
import { required } from '#machinery/field/field-error.ts';
import type { Volume } from '../../../../generated/types.ts';
import type { FieldErrors } from '../../../../validation/basics.ts';
import { checkIscsi } from '../../volumes/iscsi.ts';
import {
  checkAzureDisk,
  checkDisk,
  checkFibreChannel,
  checkFilled,
  checkFlexVolume,
  checkFlocker,
  checkNfs,
  checkQuobyte,
  checkSecretRef,
  checkStorageOs,
} from '../../volumes/network-sources.ts';
import { checkDescendingPath } from './paths.ts';

/** Sources of which upstream checks only that some fields are not empty. */
const requiredFields: Readonly<Record<string, readonly string[]>> = {
  glusterfs: ['endpoints', 'path'],
  rbd: ['monitors', 'image'],
  cephfs: ['monitors'],
  azureFile: ['secretName', 'shareName'],
  vsphereVolume: ['volumePath'],
  photonPersistentDisk: ['pdID'],
  portworxVolume: ['volumeID'],
  scaleIO: ['gateway', 'system', 'volumeName'],
};

/** A pod's volume that is mounted over the network or from a disk. */
export function checkNetworkVolume(volume: Volume, path: FieldPath, errors: FieldErrors): void {
  if (volume.nfs !== undefined) checkNfs(volume.nfs, path.child('nfs'), errors);
  else if (volume.iscsi !== undefined) {
    const options = { volumeName: volume.name ?? '', isPersistent: false, errors };
    checkIscsi(volume.iscsi, path.child('iscsi'), path, options);
  } else if (volume.gitRepo !== undefined) {
    const at = path.child('gitRepo');
    if ((volume.gitRepo.repository ?? '') === '') errors.push(required(at.child('repository'), ''));
    checkDescendingPath(volume.gitRepo.directory ?? '', at.child('directory'), errors);
  } else if (volume.gcePersistentDisk !== undefined) {
    checkDisk(volume.gcePersistentDisk, 'pdName', path.child('persistentDisk'), errors);
  } else if (volume.awsElasticBlockStore !== undefined) {
    checkDisk(volume.awsElasticBlockStore, 'volumeID', path.child('awsElasticBlockStore'), errors);
  } else if (volume.flocker !== undefined) checkFlocker(volume.flocker, path.child('flocker'), errors);
  else if (volume.cinder !== undefined) {
    checkFilled(volume.cinder, ['volumeID'], path.child('cinder'), errors);
    checkSecretRef(volume.cinder, path.child('cinder'), { isPersistent: false, errors });
  } else if (volume.quobyte !== undefined) checkQuobyte(volume.quobyte, path.child('quobyte'), errors);
  else if (volume.fc !== undefined) checkFibreChannel(volume.fc, path.child('fc'), errors);
  else if (volume.flexVolume !== undefined) checkFlexVolume(volume.flexVolume, path.child('flexVolume'), errors);
  else if (volume.azureDisk !== undefined) checkAzureDisk(volume.azureDisk, path.child('azureDisk'), errors);
  else if (volume.storageos !== undefined) {
    checkStorageOs(volume.storageos, path.child('storageos'), { isPersistent: false, errors });
  } else checkPlain(volume, path, errors);
}

function checkPlain(volume: Volume, path: FieldPath, errors: FieldErrors): void {
  // Safe: a read-only view of a JSON object by name.
  const sources = volume as unknown as Readonly<Record<string, object | undefined>>;
  for (const [type, fields] of Object.entries(requiredFields)) {
    const source = sources[type];
    if (source !== undefined) checkFilled(source, fields, path.child(type), errors);
  }
}
