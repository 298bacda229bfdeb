import { isConditionTrue } from '#api/apiextensions/v1/conditions.ts';
import type { CustomResourceDefinition } from '#api/generated/types.ts';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { Client } from '#client/client.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { deepCopy } from '#machinery/codec/deep.ts';
import { apiVersionOf, type KubeObject } from '#machinery/meta/types.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';
import type { ResourceView } from '../server-parts.ts';
import type { WatchHub } from '../storage/hub.ts';
import type { StoredView } from '../storage/stored-view.ts';
import { type Converter, RenamingConverter } from './conversion.ts';
import { CustomKind, fingerprintOf } from './custom-kind.ts';
import { DefinitionController } from './definition-controller.ts';
import { CustomView } from './stored-view.ts';

export interface CustomResourcesDeps {
  readonly registry: ResourceRegistry;
  readonly schemas: SchemaSet;
  readonly hub: WatchHub;
  readonly executor: Executor;
  readonly log: Logger;
  /** The stored CustomResourceDefinitions. */
  readonly definitions: ResourceView;
  /** Acts as the server itself. */
  readonly client: Client;
  /** Makes what calls a conversion webhook. */
  readonly webhookConverter?: (crd: CustomResourceDefinition) => Converter;
}

/**
 * Serves what CustomResourceDefinitions define: follows them in the watch cache and keeps the registry as they say. A
 * change of one definition costs nothing for the others.
 */
export class CustomResources {
  readonly #deps: CustomResourcesDeps;
  readonly #controller: DefinitionController;
  /** By the name of the definition. */
  readonly #kinds = new Map<string, CustomKind>();
  readonly #converters = new WeakMap<CustomKind, Converter>();
  readonly #kindOf = new WeakMap<ResourceDefinition, CustomKind>();
  #subscription: Disposable | undefined;

  constructor(deps: CustomResourcesDeps) {
    this.#deps = deps;
    this.#controller = new DefinitionController(deps);
  }

  /** Serves all definitions that are stored; resolves when they can be used. */
  async start(): Promise<void> {
    const { definitions, executor } = this.#deps;
    this.#subscription = definitions.onChange(({ object, previous }) => {
      // Safe: the view holds definitions only.
      if (object !== undefined) this.#update(object as CustomResourceDefinition);
      else if (previous !== undefined) this.#remove(previous as CustomResourceDefinition);
    });
    for (const object of definitions.list()) {
      // Safe: as above.
      this.#update(object as CustomResourceDefinition);
      if (executor.shouldPause()) await executor.pause('background');
    }
  }

  /** How a version of a custom resource shows what is stored; undefined for built-in resources. */
  viewOf(definition: ResourceDefinition): StoredView | undefined {
    const kind = this.#kindOf.get(definition);
    if (kind === undefined) return undefined;
    const converter = this.#converters.get(kind) ?? new RenamingConverter(kind.group);
    return new CustomView({ kind, version: definition.version, converter, hub: this.#deps.hub });
  }

  /** An object in another version of its kind; the object is left as it is. */
  convert(object: KubeObject, to: ResourceDefinition): KubeObject | Promise<KubeObject> {
    const kind = this.#kindOf.get(to);
    const converter = kind === undefined ? undefined : this.#converters.get(kind);
    if (converter === undefined) return { ...object, apiVersion: apiVersionOf(to) };
    const converted = converter.convert([deepCopy(object)], to.version);
    return converted instanceof Promise ? converted.then(([shown = object]) => shown) : (converted[0] ?? object);
  }

  close(): void {
    this.#subscription?.[Symbol.dispose]();
    this.#controller.close();
  }

  #update(crd: CustomResourceDefinition): void {
    const name = crd.metadata.name ?? '';
    this.#controller.changed(crd);
    const served = this.#kinds.get(name);
    if (!isConditionTrue(crd.status?.conditions, 'Established')) {
      if (served !== undefined) this.#withdraw(served);
      return;
    }
    if (served?.fingerprint === fingerprintOf(crd)) return;
    this.#serve(crd, served);
  }

  #serve(crd: CustomResourceDefinition, before: CustomKind | undefined): void {
    const { registry, schemas, hub, definitions, webhookConverter } = this.#deps;
    const name = crd.metadata.name ?? '';
    const kind = new CustomKind({
      crd,
      builtinSchemas: schemas,
      currentAfter: Math.max(hub.revision, Number(crd.metadata.resourceVersion ?? 0)),
      // Safe: the view holds definitions only.
      readDefinition: () => definitions.get(name) as CustomResourceDefinition | undefined,
    });
    if (crd.spec.conversion?.strategy === 'Webhook' && webhookConverter !== undefined) {
      this.#converters.set(kind, webhookConverter(crd));
    }
    for (const definition of kind.definitions) {
      this.#kindOf.set(definition, kind);
      registry.add(definition);
    }
    if (before !== undefined) {
      before.replacedBy = kind;
      const served = new Set(kind.definitions.map(({ version }) => version));
      for (const { group, version, resource } of before.definitions) {
        if (!served.has(version)) registry.remove(group, version, resource);
      }
    }
    this.#kinds.set(name, kind);
  }

  #remove(crd: KubeObject): void {
    const kind = this.#kinds.get(crd.metadata.name ?? '');
    if (kind !== undefined) {
      this.#withdraw(kind);
      this.#deps.hub.dropCache(kind.storagePrefix);
    }
    // Safe: the view holds definitions only.
    this.#controller.removed(crd as CustomResourceDefinition);
  }

  #withdraw(kind: CustomKind): void {
    for (const { group, version, resource } of kind.definitions) this.#deps.registry.remove(group, version, resource);
    this.#kinds.delete(kind.crdName);
  }
}
