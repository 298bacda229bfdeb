import type { ReplicaSet, ReplicationController, Service, StatefulSet } from '#api/generated/types.ts';
import { controllerOf, type KubeObject } from '#machinery/meta/types.ts';
import {
  compileLabelSelector,
  type LabelMatcher,
  labelSelectorFromSet,
  parseLabelSelector,
} from '#machinery/selectors/label-selector.ts';
import type { PodInfo } from './core/pod-info.ts';

/** What the shell's informers answer. */
export interface WorkloadViews {
  readonly servicesOf: (namespace: string) => readonly Service[];
  readonly replicaSet: (key: string) => ReplicaSet | undefined;
  readonly replicationController: (key: string) => ReplicationController | undefined;
  readonly statefulSet: (key: string) => StatefulSet | undefined;
}

/** Compiled selectors by their text; the same few are asked for again and again. */
const CACHE_MAX = 1_000;

/**
 * Finds the pods that a pod is one of: those of the services that select it, and those of its workload. Default
 * spreading works on them.
 */
export class DefaultSelectors {
  readonly #views: WorkloadViews;
  readonly #compiled = new Map<string, LabelMatcher>();
  readonly #ofObject = new WeakMap<KubeObject, LabelMatcher>();

  constructor(views: WorkloadViews) {
    this.#views = views;
  }

  of(pod: PodInfo): { key: string; selector: LabelMatcher } | undefined {
    const parts: string[] = [];
    for (const service of this.#views.servicesOf(pod.namespace)) {
      const selector = service.spec.selector ?? {};
      const keys = Object.keys(selector);
      if (keys.length === 0 || !keys.every((key) => pod.labels[key] === selector[key])) continue;
      parts.push(this.#matcherOf(service, () => labelSelectorFromSet(selector)).toString());
    }
    const workload = this.#workloadSelector(pod);
    if (workload !== undefined) parts.push(workload.toString());
    if (parts.length === 0) return undefined;
    const key = [...new Set(parts)].toSorted().join(',');
    let selector = this.#compiled.get(key);
    if (selector === undefined) {
      if (this.#compiled.size >= CACHE_MAX) this.#compiled.clear();
      selector = parseLabelSelector(key);
      this.#compiled.set(key, selector);
    }
    return { key, selector };
  }

  #workloadSelector(pod: PodInfo): LabelMatcher | undefined {
    const owner = controllerOf(pod.pod);
    if (owner === undefined) return undefined;
    const key = `${pod.namespace}/${owner.name}`;
    switch (owner.kind) {
      case 'ReplicaSet': {
        const set = this.#views.replicaSet(key);
        return set === undefined ? undefined : this.#matcherOf(set, () => compileLabelSelector(set.spec.selector));
      }
      case 'StatefulSet': {
        const set = this.#views.statefulSet(key);
        return set === undefined ? undefined : this.#matcherOf(set, () => compileLabelSelector(set.spec.selector));
      }
      case 'ReplicationController': {
        const controller = this.#views.replicationController(key);
        if (controller === undefined) return undefined;
        return this.#matcherOf(controller, () => labelSelectorFromSet(controller.spec.selector ?? {}));
      }
      default:
        return undefined;
    }
  }

  #matcherOf(object: KubeObject, compile: () => LabelMatcher): LabelMatcher {
    let matcher = this.#ofObject.get(object);
    if (matcher === undefined) {
      matcher = compile();
      this.#ofObject.set(object, matcher);
    }
    return matcher;
  }
}
