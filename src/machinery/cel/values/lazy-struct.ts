import { type CelType, structType } from '../types/type.ts';
import { CelStruct, type CelValue } from './value.ts';

/**
 * An object whose fields are computed when an expression first reads them, and once: the `variables` of a policy.
 * An error of a field's computation is the error of the expression that reads it.
 */
export class LazyStruct extends CelStruct {
  readonly type: CelType;
  readonly #compute: ReadonlyMap<string, () => unknown>;
  readonly #known = new Map<string, unknown>();

  constructor(typeName: string, fields: ReadonlyMap<string, () => unknown>) {
    super();
    this.type = structType(typeName);
    this.#compute = fields;
  }

  fieldNames(): readonly string[] {
    return [...this.#compute.keys()];
  }

  has(field: string): boolean {
    return this.#compute.has(field);
  }

  get(field: string): unknown {
    if (this.#known.has(field)) return this.#known.get(field);
    const value = this.#compute.get(field)?.();
    if (value !== undefined) this.#known.set(field, value);
    return value;
  }

  isEqual(other: CelValue): boolean {
    return this === other;
  }
}
