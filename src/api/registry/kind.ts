import type { FieldError } from '#machinery/field/field-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { StoredForm, Strategy, StrategyContext, TableColumn } from './resource.ts';
import type { ResourceType } from './resource-type.ts';

/** `Strategy` with the kind's own type, as the folders of the kinds write it. */
export interface KindStrategy<T extends KubeObject>
  extends Omit<
    Strategy,
    | 'applyDefaults'
    | 'prepareForCreate'
    | 'prepareForUpdate'
    | 'prepareForStatusUpdate'
    | 'validate'
    | 'validateUpdate'
    | 'validateStatusUpdate'
    | 'warnings'
    | 'gracePeriodSeconds'
    | 'subresources'
  > {
  readonly applyDefaults?: (next: T) => void;
  readonly prepareForCreate?: (next: T, context: StrategyContext) => void;
  readonly prepareForUpdate?: (next: T, current: T, context: StrategyContext) => void;
  readonly prepareForStatusUpdate?: (next: T, current: T, context: StrategyContext) => void;
  readonly validate?: (next: T) => FieldError[];
  readonly validateUpdate?: (next: T, current: T) => FieldError[];
  readonly validateStatusUpdate?: (next: T, current: T) => FieldError[];
  readonly warnings?: (next: T, current: T | undefined) => string[];
  readonly subresources?: Readonly<
    Record<
      string,
      {
        readonly prepare?: (next: T, current: T, context: StrategyContext) => void;
        readonly validate?: (next: T, current: T) => FieldError[];
      }
    >
  >;
  readonly gracePeriodSeconds?: (object: T, requestedSeconds: number | undefined) => number;
}

/** `TableColumn` with the kind's own type. */
export interface KindColumn<T extends KubeObject> extends Omit<TableColumn, 'cell'> {
  readonly cell: (object: T, nowMs: number) => unknown;
}

/** What a kind's folder says about its resource beyond the table of resources. */
export interface KindRules {
  readonly resource: ResourceType;
  readonly strategy: Strategy;
  readonly columns?: readonly TableColumn[];
  readonly selectableFields?: Readonly<Record<string, (object: KubeObject) => string>>;
  readonly ttlSeconds?: number;
  readonly storedAs?: StoredForm;
}

export interface TypedRules<T extends KubeObject> {
  readonly strategy: KindStrategy<T>;
  readonly columns?: readonly KindColumn<T>[];
  readonly selectableFields?: Readonly<Record<string, (object: T) => string>>;
  readonly ttlSeconds?: number;
  readonly storedAs?: StoredForm;
}

/** Ties a kind's rules to its resource. */
export function defineKind<T extends KubeObject>(resource: ResourceType<T>, rules: TypedRules<T>): KindRules {
  // Safe: the registry hands these functions only objects of this resource, whose kind is T.
  return { ...rules, resource } as unknown as KindRules;
}
