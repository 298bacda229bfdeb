import type { PolicyRule } from '#api/generated/types.ts';

export const READ = 'get list watch';
export const WRITE = 'create update patch delete deletecollection';
export const READ_WRITE = `${READ} ${WRITE}`;

/**
 * A rule from words: `allow('get list', 'core apps', 'pods deployments')`. `core` is the core group. Values are sorted,
 * as upstream stores them.
 */
export function allow(verbs: string, groups: string, resources: string, names?: string): PolicyRule {
  return {
    verbs: words(verbs),
    apiGroups: words(groups)
      .map((group) => (group === 'core' ? '' : group))
      .sort(),
    resources: words(resources),
    ...(names === undefined ? {} : { resourceNames: words(names) }),
  };
}

/** A rule for paths that are no resources. */
export function allowPaths(verbs: string, paths: string): PolicyRule {
  return { verbs: words(verbs), nonResourceURLs: words(paths) };
}

/** Everybody who records events needs this, in both groups that serve them. */
export function recordEvents(): PolicyRule {
  return allow('create patch update', 'core events.k8s.io', 'events');
}

function words(text: string): string[] {
  return [...new Set(text.split(' '))].sort();
}
