import { fieldErrorText } from '#machinery/field/field-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { compileSchema } from '#machinery/schema/compile.ts';
import { allResources, ResourceRegistry } from '../registry/registry.ts';
import type { ResourceDefinition } from '../registry/resource.ts';
import { builtinSchemas } from '../schema/load.ts';

/** Runs objects through their kinds' rules in tests of this room, as a server would. */
const registry = new ResourceRegistry(allResources());

export function definitionOf(object: KubeObject): ResourceDefinition {
  const [group, version] = object.apiVersion.includes('/') ? object.apiVersion.split('/') : ['', object.apiVersion];
  const definition = registry.byKind(group ?? '', version ?? '', object.kind);
  if (definition === undefined) throw new Error(`no kind ${object.apiVersion} ${object.kind}`);
  return definition;
}

/** The object as the schema decodes it. */
export function decoded<T extends KubeObject>(object: T): T {
  const schema = compileSchema(builtinSchemas(), definitionOf(object).schemaName);
  // Safe: a decoded object has the shape of its kind.
  return schema.decode(object, { mode: 'prune' }).value as T;
}

export function defaulted<T extends KubeObject>(object: T): T {
  const copy = decoded(object);
  definitionOf(copy).strategy.applyDefaults?.(copy);
  return copy;
}

/** The errors of a create, as the texts of a Status message. */
export function createErrors(object: KubeObject): string[] {
  const next = defaulted(object);
  const { strategy } = definitionOf(next);
  strategy.prepareForCreate?.(next, { nowMs: 0, uuid: () => '' });
  return (strategy.validate?.(next) ?? []).map(fieldErrorText);
}

/** What an update stores, and its errors. */
export function update<T extends KubeObject>(current: T, change: (next: T) => void): { next: T; errors: string[] } {
  const before = defaulted(current);
  const changed = structuredClone(before);
  change(changed);
  const next = defaulted(changed);
  const { strategy } = definitionOf(next);
  strategy.prepareForUpdate?.(next, before, { nowMs: 0, uuid: () => '' });
  return { next, errors: (strategy.validateUpdate?.(next, before) ?? []).map(fieldErrorText) };
}

/** The cells of the narrow table, or of the wide one. */
export function row(object: KubeObject, options: { nowMs: number; wide?: boolean }): unknown[] {
  return definitionOf(object)
    .columns.filter((column) => options.wide === true || column.priority === 0)
    .map((column) => column.cell(object, options.nowMs));
}
