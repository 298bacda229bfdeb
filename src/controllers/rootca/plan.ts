import type { ConfigMap, Namespace } from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';

export const ROOT_CA_NAME = 'kube-root-ca.crt';

const DESCRIPTION = 'kubernetes.io/description';
const DESCRIPTION_TEXT =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the ' +
  'internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes ' +
  'clusters.';

export type RootCaPlan = { readonly type: 'keep' } | { readonly type: 'create' | 'update'; readonly next: ConfigMap };

/** The ConfigMap with the cluster's certificate authority that a namespace should have. */
export function planRootCa(input: {
  readonly namespace: Namespace | undefined;
  readonly stored: ConfigMap | undefined;
  readonly rootCa: string;
}): RootCaPlan {
  const { namespace, stored, rootCa } = input;
  if (rootCa === '' || namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) {
    return { type: 'keep' };
  }
  const data = { 'ca.crt': rootCa };
  if (stored === undefined) {
    const metadata = {
      name: ROOT_CA_NAME,
      namespace: namespace.metadata.name ?? '',
      annotations: { [DESCRIPTION]: DESCRIPTION_TEXT },
    };
    return { type: 'create', next: { apiVersion: 'v1', kind: 'ConfigMap', metadata, data } };
  }
  const isDescribed = (stored.metadata.annotations?.[DESCRIPTION] ?? '') !== '';
  if (deepEqual(stored.data, data) && isDescribed) return { type: 'keep' };
  const annotations = { ...stored.metadata.annotations, [DESCRIPTION]: DESCRIPTION_TEXT };
  return { type: 'update', next: { ...stored, metadata: { ...stored.metadata, annotations }, data } };
}
