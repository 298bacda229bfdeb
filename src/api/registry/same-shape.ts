import type { KubeObject } from '#machinery/meta/types.ts';
import type { KindRules } from './kind.ts';
import type { ResourceType } from './resource-type.ts';

/** A further version of a kind whose objects look the same: the store holds the version that `rules` are for. */
export function sameShape(rules: KindRules, resource: ResourceType): KindRules {
  const { group, version, kind } = rules.resource;
  return {
    ...rules,
    resource,
    storedAs: {
      group,
      version,
      kind,
      toStored: (served) => inVersion(served, `${group}/${version}`),
      fromStored: (stored) => inVersion(stored, `${resource.group}/${resource.version}`),
    },
  };
}

function inVersion(object: KubeObject, apiVersion: string): KubeObject {
  return { ...object, apiVersion };
}
