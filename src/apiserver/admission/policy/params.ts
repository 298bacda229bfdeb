import type { ParamKind, ParamRef } from '#api/generated/types.ts';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import type { AdmissionDeps } from '../plugin.ts';

/** The parameters of one binding for one request, or why they cannot be had. */
export type Params =
  | { readonly type: 'found'; readonly params: readonly (KubeObject | undefined)[] }
  | { readonly type: 'failed'; readonly message: string };

/** Finds what a policy's parameters are: objects named or selected by the binding; none where the policy takes none. */
export function collectParams(
  paramKind: ParamKind | undefined,
  paramRef: ParamRef | undefined,
  place: { namespace: string; registry: ResourceRegistry; view: AdmissionDeps['view'] },
): Params {
  if (paramKind === undefined || paramRef === undefined) return { type: 'found', params: [undefined] };
  const { apiVersion = '', kind = '' } = paramKind;
  const [version = '', group = ''] = apiVersion.split('/').toReversed();
  const definition = place.registry.byKind(group, version, kind);
  if (definition?.storagePrefix === undefined) {
    return {
      type: 'failed',
      message: `failed to find resource referenced by paramKind: '${apiVersion}, Kind=${kind}'`,
    };
  }
  const namespace = definition.namespaced ? (paramRef.namespace ?? place.namespace) : '';
  if (definition.namespaced && namespace === '') {
    return {
      type: 'failed',
      message: 'cannot use namespaced paramRef in policy binding that matches cluster-scoped resources',
    };
  }
  if (!definition.namespaced && paramRef.namespace !== undefined) {
    return { type: 'failed', message: 'paramRef.namespace must not be provided for a cluster-scoped `paramKind`' };
  }
  const view = place.view(group, definition.resource);
  const found =
    paramRef.name === undefined
      ? selected(view.list(namespace === '' ? undefined : namespace), paramRef)
      : [view.get(paramRef.name, namespace === '' ? undefined : namespace)].filter((object) => object !== undefined);
  if (found.length > 0) return { type: 'found', params: found };
  if (paramRef.parameterNotFoundAction === 'Allow') return { type: 'found', params: [] };
  return { type: 'failed', message: 'no params found for policy binding with `Deny` parameterNotFoundAction' };
}

function selected(objects: readonly KubeObject[], { selector }: ParamRef): KubeObject[] {
  const matcher = compileLabelSelector(selector);
  return objects.filter(({ metadata }) => matcher.matches(metadata.labels));
}
