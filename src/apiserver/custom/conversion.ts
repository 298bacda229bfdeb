import type { KubeObject } from '#machinery/meta/types.ts';

/** Turns objects of one version of a custom resource into another. */
export interface Converter {
  /** Somebody outside this process is asked. */
  readonly isRemote: boolean;
  /**
   * Objects in the version wanted, in the same order; what is given may be changed and kept. Throws, or rejects with, a
   * `StatusError`.
   */
  convert(objects: KubeObject[], version: string): KubeObject[] | Promise<KubeObject[]>;
}

/** Strategy `None`: versions differ by their name only. */
export class RenamingConverter implements Converter {
  readonly isRemote = false;
  readonly #group: string;

  constructor(group: string) {
    this.#group = group;
  }

  convert(objects: KubeObject[], version: string): KubeObject[] {
    return objects.map((object) => ({ ...object, apiVersion: `${this.#group}/${version}` }));
  }
}
