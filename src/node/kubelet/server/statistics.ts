import { formatTime } from '#machinery/clock/clock.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import { POD_UID_LABEL } from '../pod/labels.ts';
import { podName, podNamespace, podUid } from '../pod/pod.ts';
import type { Kubelet } from '../kubelet.ts';
import type { ContainerStats } from '../../runtime/contract.ts';

interface Sample {
  cpuNanos: number;
  atMs: number;
}

/** Usage of a node and its pods, in the two forms that autoscalers and `kubectl top` read. */
export class Statistics {
  readonly #kubelet: Kubelet;
  readonly #clock: Clock;
  /** The last sample by container id: a rate needs two. */
  #samples = new Map<string, Sample>();

  constructor(kubelet: Kubelet, clock: Clock) {
    this.#kubelet = kubelet;
    this.#clock = clock;
  }

  /** `/stats/summary`. */
  async summary(): Promise<Record<string, unknown>> {
    const stats = await this.#kubelet.runtime.containerStats();
    const rates = this.#rates(stats);
    const time = formatTime(this.#clock.now());
    const services = this.#kubelet.services;
    const memoryBytes = services?.node.memoryBytes ?? 0;
    const availableBytes = (await services?.host.facts.availableMemoryBytes()) ?? 0;
    const pods = this.#kubelet.workers.map(({ pod, status }) => {
      const own = stats.filter((one) => one.labels[POD_UID_LABEL] === podUid(pod));
      return {
        podRef: { name: podName(pod), namespace: podNamespace(pod), uid: podUid(pod) },
        startTime: status.startTime ?? time,
        containers: own.map((one) => ({
          name: one.name,
          startTime: status.startTime ?? time,
          ...usage(one, rates, time),
        })),
        cpu: cpuOf(own, rates, time),
        memory: memoryOf(own, time),
      };
    });
    return {
      node: {
        nodeName: services?.node.name ?? '',
        startTime: time,
        cpu: cpuOf(stats, rates, time),
        memory: {
          time,
          availableBytes,
          usageBytes: memoryBytes - availableBytes,
          workingSetBytes: memoryBytes - availableBytes,
        },
      },
      pods,
    };
  }

  /** `/metrics/resource`: Prometheus' text. */
  async resourceMetrics(): Promise<string> {
    const stats = await this.#kubelet.runtime.containerStats();
    const services = this.#kubelet.services;
    const memoryBytes = services?.node.memoryBytes ?? 0;
    const availableBytes = (await services?.host.facts.availableMemoryBytes()) ?? 0;
    const family = new MetricText();
    const pods = this.#kubelet.workers.map(({ pod }) => ({
      labels: { namespace: podNamespace(pod), pod: podName(pod) },
      own: stats.filter((one) => one.labels[POD_UID_LABEL] === podUid(pod)),
    }));
    const each = pods.flatMap(({ labels, own }) =>
      own.map((one) => ({ labels: { container: one.name, ...labels }, one })),
    );
    family.add(
      'container_cpu_usage_seconds_total',
      'counter',
      'Cumulative cpu time consumed by the container in core-seconds',
    );
    for (const { labels, one } of each) family.sample(labels, one.cpuUsageCoreNanoSeconds / 1e9);
    family.add('container_memory_working_set_bytes', 'gauge', 'Current working set of the container in bytes');
    for (const { labels, one } of each) family.sample(labels, one.memoryWorkingSetBytes);
    family.add('node_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the node in core-seconds');
    family.sample({}, sum(stats, (one) => one.cpuUsageCoreNanoSeconds) / 1e9);
    family.add('node_memory_working_set_bytes', 'gauge', 'Current working set of the node in bytes');
    family.sample({}, memoryBytes - availableBytes);
    family.add('pod_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the pod in core-seconds');
    for (const { labels, own } of pods) family.sample(labels, sum(own, (one) => one.cpuUsageCoreNanoSeconds) / 1e9);
    family.add('pod_memory_working_set_bytes', 'gauge', 'Current working set of the pod in bytes');
    for (const { labels, own } of pods)
      family.sample(
        labels,
        sum(own, (one) => one.memoryWorkingSetBytes),
      );
    family.add(
      'resource_scrape_error',
      'gauge',
      '1 if there was an error while getting container metrics, 0 otherwise',
    );
    family.sample({}, 0);
    return family.text;
  }

  /** `/metrics`: what there is to say about the kubelet itself. */
  kubeletMetrics(): string {
    const family = new MetricText();
    const running = this.#kubelet.workers.filter((worker) => worker.isActive);
    family.add('kubelet_running_pods', 'gauge', 'Number of pods that have a running pod sandbox');
    family.sample({}, running.length);
    family.add('kubelet_running_containers', 'gauge', 'Number of containers currently running');
    const containers = running.flatMap((worker) => worker.view?.containers ?? []);
    family.sample({ container_state: 'running' }, containers.filter((one) => one.state === 'RUNNING').length);
    family.add('kubelet_node_name', 'gauge', "The node's name. The count is always 1.");
    family.sample({ node: this.#kubelet.services?.node.name ?? '' }, 1);
    return family.text;
  }

  /** Cores in billionths by container id, since the sample before. */
  #rates(stats: readonly ContainerStats[]): Map<string, number> {
    const rates = new Map<string, number>();
    const next = new Map<string, Sample>();
    for (const one of stats) {
      const before = this.#samples.get(one.containerId);
      const sample = { cpuNanos: one.cpuUsageCoreNanoSeconds, atMs: one.timestampMs };
      const elapsedMs = sample.atMs - (before?.atMs ?? sample.atMs);
      if (before !== undefined && elapsedMs > 0) {
        rates.set(one.containerId, Math.max(0, Math.round(((sample.cpuNanos - before.cpuNanos) * 1000) / elapsedMs)));
      }
      next.set(one.containerId, sample);
    }
    this.#samples = next;
    return rates;
  }
}

function usage(one: ContainerStats, rates: ReadonlyMap<string, number>, time: string): Record<string, unknown> {
  return { cpu: cpuOf([one], rates, time), memory: memoryOf([one], time) };
}

function cpuOf(stats: readonly ContainerStats[], rates: ReadonlyMap<string, number>, time: string) {
  return {
    time,
    usageNanoCores: sum(stats, (one) => rates.get(one.containerId) ?? 0),
    usageCoreNanoSeconds: sum(stats, (one) => one.cpuUsageCoreNanoSeconds),
  };
}

function memoryOf(stats: readonly ContainerStats[], time: string) {
  return {
    time,
    usageBytes: sum(stats, (one) => one.memoryUsageBytes),
    workingSetBytes: sum(stats, (one) => one.memoryWorkingSetBytes),
  };
}

function sum(stats: readonly ContainerStats[], valueOf: (one: ContainerStats) => number): number {
  return stats.reduce((total, one) => total + valueOf(one), 0);
}

/** Prometheus' text format, one family after another. */
class MetricText {
  readonly #lines: string[] = [];
  #name = '';

  add(name: string, type: 'counter' | 'gauge', help: string): void {
    this.#name = name;
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  }

  sample(labels: Record<string, string>, value: number): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}=${JSON.stringify(text)}`);
    this.#lines.push(`${this.#name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`);
  }

  get text(): string {
    return `${this.#lines.join('\n')}\n`;
  }
}
