import type { ResourceView } from '../server-parts.ts';
import { listPrefix, storageKey } from './keys.ts';
import type { ResourceCache } from './resource-cache.ts';
import { valuesOf } from './sorted-values.ts';

/** The watch cache of a resource as the server's own parts see it. */
export function viewOf(cache: ResourceCache): ResourceView {
  return {
    get: (name, namespace = '') => cache.get(storageKey(cache.prefix, { name, namespace }))?.object,
    list: (namespace = '') =>
      [...valuesOf(cache.tree, listPrefix(cache.prefix, namespace))].map((entry) => entry.object),
    onChange: (listener) =>
      cache.onChange(({ entry, previous }) => {
        listener({
          ...(entry === undefined ? {} : { object: entry.object }),
          ...(previous === undefined ? {} : { previous: previous.object }),
        });
      }),
  };
}
