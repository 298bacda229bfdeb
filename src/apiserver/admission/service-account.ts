import type { Container, Pod, PodSpec, ServiceAccount, Volume } from '#api/generated/types.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../pipeline/types.ts';
import { podReferences } from '../authorization/pod-references.ts';
import { podOf, refuse, type AdmissionDeps } from './plugin.ts';

const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const VOLUME_PREFIX = 'kube-api-access-';
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const ENFORCE_ANNOTATION = 'kubernetes.io/enforce-mountable-secrets';
/** An hour and seven seconds: how the issuer recognises tokens for which old clients get leeway. */
const TOKEN_SECONDS = 3607;

/** Every pod runs as a service account of its namespace, and finds its token mounted unless it does not want it. */
export function serviceAccount({ view, random }: Pick<AdmissionDeps, 'view' | 'random'>): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    mutate: (request) => {
      const pod = request.operation === 'CREATE' ? podOf(request) : undefined;
      const spec = pod?.spec;
      if (pod === undefined || spec === undefined) return;
      if (pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) return;
      if (spec.serviceAccountName === undefined || spec.serviceAccountName === '') spec.serviceAccountName = 'default';
      spec.serviceAccount = spec.serviceAccountName;
      const account = findAccount(request, spec.serviceAccountName, view);
      if (wantsToken(spec, account)) mountToken(spec, () => `${VOLUME_PREFIX}${random.suffix(5)}`);
      if ((spec.imagePullSecrets ?? []).length === 0 && (account.imagePullSecrets ?? []).length > 0) {
        spec.imagePullSecrets = (account.imagePullSecrets ?? []).map((reference) => ({ ...reference }));
      }
    },
    validate: (request) => {
      const pod = request.operation === 'CREATE' ? podOf(request) : undefined;
      if (pod?.spec === undefined) return;
      if (pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) {
        checkMirror(request, pod);
        return;
      }
      const account = findAccount(request, pod.spec.serviceAccountName ?? 'default', view);
      if (account.metadata.annotations?.[ENFORCE_ANNOTATION] === 'true') checkSecrets(request, { pod, account });
    },
  };
}

function findAccount(request: AdmissionRequest, name: string, view: AdmissionDeps['view']): ServiceAccount {
  const { namespace } = request.info;
  // Safe: the view holds ServiceAccounts.
  const account = view('', 'serviceaccounts').get(name, namespace) as ServiceAccount | undefined;
  if (account !== undefined) return account;
  throw refuse(
    request,
    `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
  );
}

function wantsToken(spec: PodSpec, account: ServiceAccount): boolean {
  return spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
}

function mountToken(spec: PodSpec, newName: () => string): void {
  const lacking = [...(spec.initContainers ?? []), ...(spec.containers ?? [])].filter(
    (container) => !(container.volumeMounts ?? []).some((mount) => mount.mountPath === MOUNT_PATH),
  );
  if (lacking.length === 0) return;
  const existing = (spec.volumes ?? []).find((volume) => (volume.name ?? '').startsWith(VOLUME_PREFIX));
  const name = existing?.name ?? newName();
  for (const container of lacking) addMount(container, name);
  if (existing === undefined) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
}

function addMount(container: Container, name: string): void {
  container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath: MOUNT_PATH }];
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 0o644,
    },
  };
}

function checkMirror(request: AdmissionRequest, pod: Pod): void {
  if ((pod.spec?.serviceAccountName ?? '') !== '') {
    throw refuse(request, 'a mirror pod may not reference service accounts');
  }
  if (podReferences(pod).some(({ resource }) => resource === 'secrets')) {
    throw refuse(request, 'a mirror pod may not reference secrets');
  }
  for (const { projected } of pod.spec?.volumes ?? []) {
    if ((projected?.sources ?? []).some((source) => source.serviceAccountToken !== undefined)) {
      throw refuse(request, 'a mirror pod may not use ServiceAccountToken volume projections');
    }
  }
}

function checkSecrets(request: AdmissionRequest, { pod, account }: { pod: Pod; account: ServiceAccount }): void {
  const allowed = new Set((account.secrets ?? []).map(({ name }) => name));
  const why = `because service account ${account.metadata.name ?? ''} does not reference that secret`;
  for (const { secret } of pod.spec?.volumes ?? []) {
    if (secret?.secretName === undefined || allowed.has(secret.secretName)) continue;
    throw refuse(request, `volume with secret.secretName=${JSON.stringify(secret.secretName)} is not allowed ${why}`);
  }
  for (const container of [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]) {
    const kind = pod.spec?.initContainers?.includes(container) === true ? 'init container' : 'container';
    for (const { name, valueFrom } of container.env ?? []) {
      const secretName = valueFrom?.secretKeyRef?.name;
      if (secretName === undefined || allowed.has(secretName)) continue;
      throw refuse(
        request,
        `${kind} ${container.name} with envVar ${name} referencing secret.secretName=${JSON.stringify(secretName)} ` +
          `is not allowed ${why}`,
      );
    }
  }
}
