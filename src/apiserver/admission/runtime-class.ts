import type { PodSpec, RuntimeClass, Toleration } from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../pipeline/types.ts';
import { podOf, refuse, type AdmissionDeps } from './plugin.ts';

/** Brings the overhead and scheduling rules of a pod's RuntimeClass into the pod. */
export function runtimeClass({ view }: Pick<AdmissionDeps, 'view'>): AdmissionPlugin {
  const find = (request: AdmissionRequest, name: string): RuntimeClass => {
    // Safe: the view holds RuntimeClasses.
    const found = view('node.k8s.io', 'runtimeclasses').get(name) as RuntimeClass | undefined;
    if (found === undefined) throw refuse(request, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
    return found;
  };
  return {
    name: 'RuntimeClass',
    mutate: (request) => {
      const spec = request.operation === 'CREATE' ? podOf(request)?.spec : undefined;
      if (spec?.runtimeClassName === undefined || spec.runtimeClassName === '') return;
      const found = find(request, spec.runtimeClassName);
      setOverhead(request, { spec, found });
      setScheduling(request, { spec, found });
    },
    validate: (request) => {
      const spec = request.operation === 'CREATE' ? podOf(request)?.spec : undefined;
      if (spec === undefined || spec.overhead === undefined) return;
      const name = spec.runtimeClassName ?? '';
      const defined = name === '' ? undefined : find(request, name).overhead?.podFixed;
      if (defined !== undefined || Object.keys(spec.overhead).length === 0) return;
      throw refuse(request, 'pod rejected: Overhead set without corresponding RuntimeClass defined Overhead');
    },
  };
}

type Pair = { spec: PodSpec; found: RuntimeClass };

function setOverhead(request: AdmissionRequest, { spec, found }: Pair): void {
  const defined = found.overhead?.podFixed;
  if (defined === undefined) return;
  if (spec.overhead !== undefined && !deepEqual(spec.overhead, defined)) {
    throw refuse(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
  }
  spec.overhead = { ...defined };
}

function setScheduling(request: AdmissionRequest, { spec, found }: Pair): void {
  const { scheduling } = found;
  if (scheduling === undefined) return;
  const selector = spec.nodeSelector ?? {};
  for (const [key, value] of Object.entries(scheduling.nodeSelector ?? {})) {
    const own = selector[key];
    if (own === undefined || own === value) continue;
    throw refuse(
      request,
      `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
    );
  }
  if (scheduling.nodeSelector !== undefined) spec.nodeSelector = { ...selector, ...scheduling.nodeSelector };
  const own: Toleration[] = spec.tolerations ?? [];
  const added = (scheduling.tolerations ?? []).filter((one) => !own.some((other) => deepEqual(one, other)));
  if (added.length > 0) spec.tolerations = [...own, ...added];
}
