import type { Container, Pod, Probe } from '#api/generated/types.ts';
import { podUid } from '../pod/pod.ts';
import type { ProbeResult } from '../pod/plan-types.ts';
import { findContainer, type PodView } from '../pod/view.ts';
import type { ProberDeps } from './contract.ts';
import { Prober, type ProbeKind } from './prober.ts';

interface Probed {
  readonly probers: Map<ProbeKind, Prober>;
}

const FIELDS = { startup: 'startupProbe', liveness: 'livenessProbe', readiness: 'readinessProbe' } as const;

export interface ProbesDeps extends ProberDeps {
  /** Where pods on the host's network answer. */
  readonly nodeIp: string;
  /** Called when a result changed: the pod must be looked at. */
  readonly onChange: (uid: string) => void;
}

/**
 * The probers of all pods of a node. It follows what runs: `sync` starts probers for containers that run and stops those
 * of containers that do not. Containers without probes cost nothing.
 */
export class Probes {
  readonly #deps: ProbesDeps;
  /** By pod uid, then by container id. */
  readonly #pods = new Map<string, Map<string, Probed>>();

  constructor(deps: ProbesDeps) {
    this.#deps = deps;
  }

  sync(pod: Pod, view: PodView): void {
    const containers = [
      ...(pod.spec.initContainers ?? []).filter((one) => one.restartPolicy === 'Always'),
      ...pod.spec.containers,
    ].filter((one) => one.startupProbe ?? one.livenessProbe ?? one.readinessProbe);
    const uid = podUid(pod);
    if (containers.length === 0 && !this.#pods.has(uid)) return;
    const known = this.#pods.get(uid) ?? new Map<string, Probed>();
    this.#pods.set(uid, known);
    const running = new Set<string>();
    for (const container of containers) {
      const current = findContainer(view, container.name);
      if (current?.state !== 'RUNNING') continue;
      running.add(current.id);
      const probed = known.get(current.id) ?? { probers: new Map<ProbeKind, Prober>() };
      known.set(current.id, probed);
      this.#start({ pod, container, probed, view, containerId: current.id, startedAtMs: current.startedAtMs });
    }
    for (const [id, probed] of known) {
      if (running.has(id)) continue;
      stopAll(probed);
      known.delete(id);
    }
  }

  /** A pod that ends is asked for readiness only: failing on the way out must not restart anything. */
  stopForTermination(uid: string): void {
    for (const { probers } of this.#pods.get(uid)?.values() ?? []) {
      probers.get('liveness')?.stop();
      probers.get('startup')?.stop();
    }
  }

  stop(uid: string): void {
    for (const probed of this.#pods.get(uid)?.values() ?? []) stopAll(probed);
    this.#pods.delete(uid);
  }

  stopAll(): void {
    for (const uid of this.#pods.keys()) this.stop(uid);
  }

  result(uid: string, target: { containerId: string; kind: ProbeKind }): ProbeResult | undefined {
    return this.#pods.get(uid)?.get(target.containerId)?.probers.get(target.kind)?.result;
  }

  isStarted(pod: Pod, containerId: string, container: Container | undefined): boolean {
    if (container?.startupProbe === undefined) return true;
    return this.result(podUid(pod), { containerId, kind: 'startup' }) === 'success';
  }

  isReady(pod: Pod, containerId: string, container: Container | undefined): boolean {
    if (container?.readinessProbe === undefined) return true;
    return this.result(podUid(pod), { containerId, kind: 'readiness' }) === 'success';
  }

  #start(input: {
    pod: Pod;
    container: Container;
    probed: Probed;
    view: PodView;
    containerId: string;
    startedAtMs: number;
  }): void {
    const { pod, container, probed, view, containerId, startedAtMs } = input;
    const hasStarted = container.startupProbe === undefined || probed.probers.get('startup')?.result === 'success';
    for (const kind of ['startup', 'liveness', 'readiness'] as const) {
      const probe: Probe | undefined = container[FIELDS[kind]];
      // Until the container has started, only the startup probe asks.
      if (probe === undefined || probed.probers.has(kind) || (kind !== 'startup' && !hasStarted)) continue;
      const podIp = view.ips[0] ?? this.#deps.nodeIp;
      const target = { pod, container, containerId, startedAtMs, podIp };
      const onChange = () => this.#deps.onChange(podUid(pod));
      probed.probers.set(kind, new Prober(this.#deps, { target, kind, probe, onChange }));
    }
  }
}

function stopAll({ probers }: Probed): void {
  for (const prober of probers.values()) prober.stop();
}
