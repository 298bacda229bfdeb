import { type KubeObject, fieldsOf } from '#machinery/meta/types.ts';
import type { KindRules } from './kind.ts';
import type { ResourceType } from './resource-type.ts';
import type { Strategy } from './resource.ts';

/** How objects of two versions of one kind turn into each other, in all fields but `apiVersion`. Both make new objects. */
export interface ShapeConversion {
  readonly toStored: (served: KubeObject) => KubeObject;
  readonly fromStored: (stored: KubeObject) => KubeObject;
}

/** A further version of a kind whose objects look otherwise: it obeys the rules of the version that is stored. */
export function otherShape(rules: KindRules, resource: ResourceType, conversion: ShapeConversion): KindRules {
  const { group, version, kind } = rules.resource;
  const toStored = (served: KubeObject): KubeObject => ({
    ...conversion.toStored(served),
    apiVersion: `${group}/${version}`,
  });
  const fromStored = (stored: KubeObject): KubeObject => ({
    ...conversion.fromStored(stored),
    apiVersion: `${resource.group}/${resource.version}`,
  });
  return {
    ...rules,
    resource,
    strategy: convertedStrategy(rules.strategy, { toStored, fromStored }),
    ...(rules.columns === undefined
      ? {}
      : {
          columns: rules.columns.map((column) => ({
            ...column,
            cell: (object: KubeObject, nowMs: number) => column.cell(toStored(object), nowMs),
          })),
        }),
    ...(rules.selectableFields === undefined
      ? {}
      : {
          selectableFields: Object.fromEntries(
            Object.entries(rules.selectableFields).map(([field, read]) => [
              field,
              (object: KubeObject) => read(toStored(object)),
            ]),
          ),
        }),
    storedAs: { group, version, kind, toStored, fromStored },
  };
}

function convertedStrategy(strategy: Strategy, { toStored, fromStored }: ShapeConversion): Strategy {
  const { applyDefaults, prepareForCreate, prepareForUpdate, prepareForStatusUpdate } = strategy;
  const { validate, validateUpdate, validateStatusUpdate, warnings } = strategy;
  /** Runs a rule that changes its object on the stored form, and takes the result over. */
  const changed = (next: KubeObject, rule: (stored: KubeObject) => void): void => {
    const stored = toStored(next);
    rule(stored);
    const fields = fieldsOf(next);
    const result = fieldsOf(fromStored(stored));
    for (const name of Object.keys(fields)) if (!(name in result)) delete fields[name];
    Object.assign(fields, result);
  };
  return {
    ...strategy,
    ...(applyDefaults && { applyDefaults: (next) => changed(next, applyDefaults) }),
    ...(prepareForCreate && {
      prepareForCreate: (next, context) => changed(next, (stored) => prepareForCreate(stored, context)),
    }),
    ...(prepareForUpdate && {
      prepareForUpdate: (next, current, context) =>
        changed(next, (stored) => prepareForUpdate(stored, toStored(current), context)),
    }),
    ...(prepareForStatusUpdate && {
      prepareForStatusUpdate: (next, current, context) =>
        changed(next, (stored) => prepareForStatusUpdate(stored, toStored(current), context)),
    }),
    ...(validate && { validate: (next) => validate(toStored(next)) }),
    ...(validateUpdate && { validateUpdate: (next, current) => validateUpdate(toStored(next), toStored(current)) }),
    ...(validateStatusUpdate && {
      validateStatusUpdate: (next, current) => validateStatusUpdate(toStored(next), toStored(current)),
    }),
    ...(warnings && {
      warnings: (next, current) => warnings(toStored(next), current === undefined ? undefined : toStored(current)),
    }),
  };
}
