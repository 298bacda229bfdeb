import type { Namespace, Pod, PodTemplateSpec } from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { invalid } from '#machinery/errors/status-error.ts';
import { fieldErrorText, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { fieldsOf, type KubeObject } from '#machinery/meta/types.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../../pipeline/types.ts';
import { isResource, oldPodOf, refuse, type AdmissionDeps } from '../plugin.ts';
import { CHECKS } from './restricted.ts';

const LABEL = 'pod-security.kubernetes.io/';
const LEVELS = ['privileged', 'baseline', 'restricted'] as const;
type Level = (typeof LEVELS)[number];

/** Where workloads keep their pod template. */
const TEMPLATE_PATHS: Readonly<Record<string, readonly string[]>> = {
  '/podtemplates': ['template'],
  '/replicationcontrollers': ['spec', 'template'],
  'apps/replicasets': ['spec', 'template'],
  'apps/deployments': ['spec', 'template'],
  'apps/statefulsets': ['spec', 'template'],
  'apps/daemonsets': ['spec', 'template'],
  'batch/jobs': ['spec', 'template'],
  'batch/cronjobs': ['spec', 'jobTemplate', 'spec', 'template'],
};

/** The Pod Security Standards, as a namespace's labels ask for them: enforced on pods, warned about on workloads too. */
export function podSecurity({ view }: Pick<AdmissionDeps, 'view'>): AdmissionPlugin {
  return {
    name: 'PodSecurity',
    validate: (request) => {
      const { operation, info } = request;
      if (operation !== 'CREATE' && operation !== 'UPDATE') return;
      if (isResource(request, '', 'namespaces')) {
        if (info.subresource === '') checkLabels(request);
        return;
      }
      const pod = podToCheck(request);
      if (pod === undefined) return;
      // Safe: the view holds Namespaces.
      const namespace = view('', 'namespaces').get(info.namespace) as Namespace | undefined;
      const labels = namespace?.metadata.labels ?? {};
      if (isResource(request, '', 'pods')) {
        const enforced = violations(pod, labels, 'enforce');
        if (enforced !== undefined) throw refuse(request, `violates PodSecurity ${enforced}`);
      }
      const warned = violations(pod, labels, 'warn');
      if (warned !== undefined) request.warnings.push(`would violate PodSecurity ${warned}`);
    },
  };
}

/** The pod, or the pod that a workload would make; `undefined` where nothing of interest is written. */
function podToCheck(request: AdmissionRequest): Pod | undefined {
  const { info, object, operation } = request;
  if (object === undefined) return undefined;
  if (isResource(request, '', 'pods')) {
    if (info.subresource !== '' && info.subresource !== 'ephemeralcontainers') return undefined;
    // Safe: what is written to pods is a Pod.
    const pod = object as Pod;
    const old = oldPodOf(request);
    return operation === 'UPDATE' && old !== undefined && !isSignificant(pod, old) ? undefined : pod;
  }
  const path = info.subresource === '' ? TEMPLATE_PATHS[`${info.group}/${info.resource}`] : undefined;
  if (path === undefined) return undefined;
  const template = at(object, path);
  if (template?.spec === undefined) return undefined;
  return { kind: 'Pod', apiVersion: 'v1', metadata: template.metadata ?? {}, spec: template.spec };
}

/** Of a pod only images and ephemeral containers can change in a way that matters here. */
function isSignificant(pod: Pod, old: Pod): boolean {
  const images = ({ spec }: Pod) => [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map((c) => c.image);
  return (
    !deepEqual(images(pod), images(old)) ||
    !deepEqual(pod.spec?.ephemeralContainers ?? [], old.spec?.ephemeralContainers ?? [])
  );
}

function at(object: KubeObject, path: readonly string[]): PodTemplateSpec | undefined {
  let value: unknown = fieldsOf(object);
  // Safe: each step is checked to be an object before it is read.
  for (const step of path) value = typeof value === 'object' && value !== null ? (value as never)[step] : undefined;
  return value as PodTemplateSpec | undefined;
}

/** `"restricted:latest": …`, where the pod violates the level that the namespace sets for this mode. */
function violations(pod: Pod, labels: Readonly<Record<string, string>>, mode: 'enforce' | 'warn'): string | undefined {
  const level = levelOf(labels[`${LABEL}${mode}`]);
  if (level === 'privileged') return undefined;
  const found = CHECKS[level].flatMap((check) => check(pod) ?? []);
  if (found.length === 0) return undefined;
  const version = labels[`${LABEL}${mode}-version`] ?? 'latest';
  return `"${level}:${version}": ${found.map(({ reason, detail }) => `${reason} (${detail})`).join(', ')}`;
}

/** An unknown level is the strictest, as upstream falls back. */
function levelOf(label: string | undefined): Level {
  if (label === undefined) return 'privileged';
  return LEVELS.find((level) => level === label) ?? 'restricted';
}

function checkLabels({ object, oldObject }: AdmissionRequest): void {
  if (object === undefined) return;
  const path = new FieldPath('metadata').child('labels');
  const errors = ['enforce', 'audit', 'warn'].flatMap((mode) => {
    const key = `${LABEL}${mode}`;
    const given = object.metadata.labels?.[key];
    if (given === undefined || given === oldObject?.metadata.labels?.[key]) return [];
    if (LEVELS.some((level) => level === given)) return [];
    return [invalidValue(path.key(key), given, `must be one of ${LEVELS.join(', ')}`)];
  });
  if (errors.length === 0) return;
  const causes = errors.map((error) => ({ ...error, text: fieldErrorText(error) }));
  throw invalid({ group: '', kind: 'Namespace', name: object.metadata.name ?? '' }, causes);
}
