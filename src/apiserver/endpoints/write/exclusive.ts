import type { ResourceQuota } from '#api/generated/types.ts';
import { usageOf } from '#api/core/v1/quota/usage.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { SharedLock } from '../../storage/shared-lock.ts';
import { valuesOf } from '../../storage/sorted-values.ts';
import { listPrefix } from '../../storage/keys.ts';
import type { Call } from '../call.ts';

const QUOTAS = '/registry/resourcequotas';
/** Updates of anything else never count for more than before. */
const MAY_GROW = new Set(['pods', 'services', 'persistentvolumeclaims']);

type Write<T> = (stillAlone: () => void) => Promise<T>;

/**
 * Runs `write`, which begins with a hook and ends with a commit, alone among all servers on the store where it is judged
 * by more than the object: services get what no two of them may have, and objects under a quota share it. Its hook
 * knows of the writes of this server.
 */
export function exclusively<T>(
  call: Call,
  { operation, object }: { operation: 'CREATE' | 'UPDATE'; object: KubeObject },
  write: Write<T>,
): Promise<T> {
  const { hub } = call.core;
  if (hub.isAlwaysFresh) return write(() => undefined);
  const { group, resource } = call.definition;
  let run = write;
  const mayGrow = operation === 'CREATE' || (group === '' && MAY_GROW.has(resource));
  const namespace = object.metadata.namespace ?? '';
  if (mayGrow && namespace !== '' && isCounted(call, namespace, object)) {
    run = locked(hub.sharedLock(`quota/${namespace}`), run);
  }
  // Always taken first: whoever waits for the other one holds nothing that its holder could need.
  if (group === '' && resource === 'services') run = locked(hub.sharedLock('services'), run);
  return run(() => undefined);
}

function locked<T>(lock: SharedLock | undefined, write: Write<T>): Write<T> {
  if (lock === undefined) return write;
  return (isOuterHeld) =>
    lock.hold((isHeld) =>
      write(() => {
        isOuterHeld();
        isHeld();
      }),
    );
}

/** Whether a quota of the namespace limits something of what the object counts for. */
function isCounted({ core, definition }: Call, namespace: string, object: KubeObject): boolean {
  const quotas = core.hub.loadedCache(QUOTAS);
  if (quotas === undefined || quotas.size === 0) return false;
  let usage: ReadonlyMap<string, unknown> | undefined;
  for (const entry of valuesOf(quotas.tree, listPrefix(QUOTAS, namespace))) {
    // Safe: the cache holds ResourceQuotas.
    const { spec } = entry.object as ResourceQuota;
    usage ??= usageOf({ group: definition.group, resource: definition.resource }, object);
    if (Object.keys(spec?.hard ?? {}).some((name) => usage?.has(name))) return true;
  }
  return false;
}
