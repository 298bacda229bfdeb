import type { KubeObject } from '#machinery/meta/types.ts';
import type { ResourceView } from '../../server-parts.ts';

/** A policy with the bindings that put it to use. */
export interface BoundPolicy<P, B> {
  readonly policy: P;
  readonly bindings: readonly B[];
}

/** The policies that have a binding, by name; built again when one of them or of their bindings changes. */
export class PolicySource<
  P extends KubeObject,
  B extends KubeObject & { readonly spec?: { readonly policyName?: string } },
> {
  readonly #policies: ResourceView;
  readonly #bindings: ResourceView;
  #bound: readonly BoundPolicy<P, B>[] | undefined;

  constructor(views: { policies: ResourceView; bindings: ResourceView }) {
    this.#policies = views.policies;
    this.#bindings = views.bindings;
    const forget = (): void => {
      this.#bound = undefined;
    };
    this.#policies.onChange(forget);
    this.#bindings.onChange(forget);
  }

  all(): readonly BoundPolicy<P, B>[] {
    this.#bound ??= this.#build();
    return this.#bound;
  }

  #build(): BoundPolicy<P, B>[] {
    // Safe: the views hold these kinds.
    const bindings = Map.groupBy(this.#bindings.list() as B[], ({ spec }) => spec?.policyName ?? '');
    return (this.#policies.list() as P[]).flatMap((policy) => {
      const own = bindings.get(policy.metadata.name ?? '') ?? [];
      const isGoing = policy.metadata.deletionTimestamp !== undefined;
      return own.length === 0 || isGoing ? [] : [{ policy, bindings: own }];
    });
  }
}
