import type { ResourceRegistry } from '#api/registry/registry.ts';
import { type Handler, jsonResponse } from '../pipeline/types.ts';

/** `/`: the paths there are, for people who look around. */
export function indexHandler(registry: ResourceRegistry, ownPaths: readonly string[]): Handler {
  return () => {
    const groups = registry
      .all()
      .flatMap(({ group, version }) =>
        group === '' ? [`/api/${version}`] : [`/apis/${group}`, `/apis/${group}/${version}`],
      );
    const paths = new Set([...ownPaths.filter((path) => !path.endsWith('/')), ...groups]);
    return Promise.resolve(jsonResponse(200, { paths: [...paths].toSorted() }));
  };
}
