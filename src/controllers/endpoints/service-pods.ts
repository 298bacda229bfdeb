import { NODES, PODS, SERVICES } from '#api/generated/resources.ts';
import type { Node, Pod, Service } from '#api/generated/types.ts';
import type { Informer } from '#client/informer/informer.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { objectKey } from '#machinery/meta/types.ts';
import { namespaceIndex, type Reconciler } from '../shared/reconciler.ts';

/** Services and the pods they select, as both endpoint controllers watch them. Keys are those of services. */
export class ServicePods {
  readonly services: Informer<Service>;
  readonly #pods: Informer<Pod>;
  readonly #reconciler: Reconciler;

  constructor(reconciler: Reconciler) {
    this.#reconciler = reconciler;
    const enqueue = (service: Service) => reconciler.add(objectKey(service));
    this.services = reconciler.watch(
      SERVICES,
      { onAdd: enqueue, onUpdate: (_, service) => enqueue(service), onDelete: enqueue },
      { namespace: namespaceIndex },
    );
    this.#pods = reconciler.watch(
      PODS,
      {
        onAdd: (pod) => this.#enqueueServicesOf(pod),
        onUpdate: (before, pod) => {
          if (!isEndpointChange(before, pod)) return;
          if (!deepEqual(before.metadata.labels, pod.metadata.labels)) this.#enqueueServicesOf(before);
          this.#enqueueServicesOf(pod);
        },
        onDelete: (pod) => this.#enqueueServicesOf(pod),
      },
      { namespace: namespaceIndex, node: (pod) => [pod.spec.nodeName ?? ''] },
    );
  }

  /** Endpoints carry their node's zone, and none is on a node that does not exist. */
  watchNodes(): Informer<Node> {
    const enqueue = (node: Node) => {
      for (const pod of this.#pods.byIndex('node', node.metadata.name ?? '')) this.#enqueueServicesOf(pod);
    };
    return this.#reconciler.watch(NODES, {
      onAdd: enqueue,
      onUpdate: (before, node) => {
        if (!deepEqual(before.metadata.labels, node.metadata.labels)) enqueue(node);
      },
      onDelete: enqueue,
    });
  }

  /** The pods that a service with a selector selects. */
  podsOf(service: Service): Pod[] {
    const selector = Object.entries(service.spec.selector ?? {});
    return this.#pods
      .byIndex('namespace', service.metadata.namespace ?? '')
      .filter((pod) => selector.every(([key, value]) => pod.metadata.labels?.[key] === value));
  }

  #enqueueServicesOf(pod: Pod): void {
    const labels = pod.metadata.labels ?? {};
    for (const service of this.services.byIndex('namespace', pod.metadata.namespace ?? '')) {
      const selector = service.spec.selector;
      if (selector === undefined || service.metadata.deletionTimestamp !== undefined) continue;
      const isSelected = Object.entries(selector).every(([key, value]) => labels[key] === value);
      if (isSelected) this.#reconciler.add(objectKey(service));
    }
  }
}

/** Whether anything changed that endpoints show. */
function isEndpointChange(before: Pod, after: Pod): boolean {
  return (
    before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
    before.status?.phase !== after.status?.phase ||
    before.status?.podIP !== after.status?.podIP ||
    before.spec.nodeName !== after.spec.nodeName ||
    !deepEqual(before.status?.podIPs, after.status?.podIPs) ||
    !deepEqual(before.status?.conditions, after.status?.conditions) ||
    !deepEqual(before.metadata.labels, after.metadata.labels)
  );
}

/** Whether the API server's clients look after a service's endpoints themselves. */
export function isSelectorless(service: Service): boolean {
  return service.spec.selector === undefined || service.spec.type === 'ExternalName';
}
