/** Where an object is stored: `PREFIX/NAMESPACE/NAME`, or `PREFIX/NAME` where it is cluster-scoped. */
export function storageKey(prefix: string, { namespace, name }: { namespace: string; name: string }): string {
  return namespace === '' ? `${prefix}/${name}` : `${prefix}/${namespace}/${name}`;
}

/** What all keys of a list start with. */
export function listPrefix(prefix: string, namespace: string): string {
  return namespace === '' ? `${prefix}/` : `${prefix}/${namespace}/`;
}

/** Namespace and name of a key of the resource; the namespace is empty where there is none. */
export function splitStorageKey(prefix: string, key: string): { namespace: string; name: string } {
  const rest = key.slice(prefix.length + 1);
  const slash = rest.indexOf('/');
  return slash < 0 ? { namespace: '', name: rest } : { namespace: rest.slice(0, slash), name: rest.slice(slash + 1) };
}
