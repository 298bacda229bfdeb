import type { ResourceDefinition } from './resource.ts';

const RESOURCES: ReadonlySet<string> = new Set([
  '/persistentvolumeclaims',
  '/persistentvolumes',
  '/pods',
  '/podtemplates',
  '/resourcequotas',
  '/serviceaccounts',
  '/services',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/volumeattributesclasses',
]);

/** Whether a deletion answers with the object that went; for all other kinds it answers with a Status. */
export function returnsDeletedObject({ group, resource }: Pick<ResourceDefinition, 'group' | 'resource'>): boolean {
  return group === 'resource.k8s.io' || RESOURCES.has(`${group}/${resource}`);
}
