import type { Container, Pod, PodSpec } from '#api/generated/types.ts';
import { PODS } from '#api/generated/resources.ts';
import { SimulatedExecutor } from '#machinery/executor/virtual-executor.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { FakeHost } from '../../host/fake-host.ts';
import { SimulatedProbeTransport } from '../../runtime/simulated/probe-transport.ts';
import { type SimulatedAnswers, SimulatedRuntime } from '../../runtime/simulated/simulated-runtime.ts';
import { Kubelet, type KubeletDeps } from '../kubelet.ts';
import type { EventText } from '../pod/pod-events.ts';
import { FakeApi } from './fake-api.ts';

export interface TestNode {
  readonly executor: SimulatedExecutor;
  readonly api: FakeApi;
  readonly runtime: SimulatedRuntime;
  readonly kubelet: Kubelet;
  /** `TYPE REASON MESSAGE`, in order. */
  readonly events: string[];
  readonly pod: (name: string) => Pod | undefined;
}

/** A kubelet on the simulated runtime, against a small API server, under virtual time. */
export async function startTestNode(
  options: {
    seed?: string;
    answers?: SimulatedAnswers;
    /** Take over another node's world: a kubelet that restarts. */
    from?: TestNode;
    deps?: Partial<KubeletDeps>;
    cpuCount?: number;
  } = {},
): Promise<TestNode> {
  const executor = options.from?.executor ?? new SimulatedExecutor({ seed: options.seed ?? 'kubelet' });
  const api = options.from?.api ?? new FakeApi(executor.clock);
  const runtime =
    options.from?.runtime ??
    new SimulatedRuntime({ executor, ...(options.answers === undefined ? {} : { answers: options.answers }) });
  const events: string[] = [];
  const kubelet = new Kubelet({
    client: api,
    executor,
    runtime,
    host: new FakeHost({ addresses: ['192.168.0.1'], cpuCount: options.cpuCount ?? 8 }),
    log: silentLogger,
    events: {
      event: (object, event: EventText) => {
        if (object.kind === 'Pod') events.push(`${event.type} ${event.reason} ${event.message}`);
      },
    },
    transport: new SimulatedProbeTransport(runtime),
    options: {
      identity: { name: 'node-1', labels: {}, taints: [], podCidr: '10.244.1.0/24' },
      paths: { pods: '/var/lib/kubelet/pods', podLogs: '/var/log/pods' },
      clusterDns: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
      cgroupRoot: '',
      podsMax: 110,
      port: () => 10_250,
    },
    ...options.deps,
  });
  await kubelet.start();
  await executor.settle();
  return { executor, api, runtime, kubelet, events, pod: (name) => api.peek(PODS, { namespace: 'default', name }) };
}

export function testPod(name: string, spec: Partial<PodSpec> = {}, metadata: Partial<Pod['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, generation: 1, ...metadata },
    spec: {
      nodeName: 'node-1',
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      containers: [testContainer('main')],
      ...spec,
    },
    status: { phase: 'Pending', qosClass: 'BestEffort' },
  };
}

export function testContainer(name: string, more: Partial<Container> = {}): Container {
  return {
    name,
    image: 'busybox:1.36',
    imagePullPolicy: 'IfNotPresent',
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    ...more,
  };
}
