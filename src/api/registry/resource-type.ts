import type { KubeObject } from '#machinery/meta/types.ts';

/**
 * Names a resource and, in its type, the kind of its objects. The constants of the built-in resources are generated
 * from the resource table; a client takes these (its own `ResourceType` has the same shape).
 */
export interface ResourceType<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never present; carries the type. */
  readonly objectType?: T;
}
