import type { CelType } from '../types/type.ts';

export interface FieldDescription {
  readonly type: CelType;
  /** The JSON property that holds the field where it is called otherwise: expressions escape some names. */
  readonly property?: string;
  /** A null counts as if the field were not there. */
  readonly isNullAbsent?: boolean;
}

/** Knows the object types that an environment offers beyond CEL's own. */
export interface TypeProvider {
  /** The type of that name; undefined where there is none. */
  findType(name: string): CelType | undefined;
  findField(typeName: string, field: string): FieldDescription | undefined;
  /** The value of `Name{field: value}`; absent where expressions may not make objects. */
  construct?(typeName: string, fields: ReadonlyMap<string, unknown>): unknown;
}

/** Asks several providers in turn. */
export function combineProviders(providers: readonly TypeProvider[]): TypeProvider {
  const owner = (typeName: string): TypeProvider | undefined =>
    providers.find((provider) => provider.findType(typeName) !== undefined);
  return {
    findType: (name) => owner(name)?.findType(name),
    findField: (typeName, field) => owner(typeName)?.findField(typeName, field),
    construct: (typeName, fields) => owner(typeName)?.construct?.(typeName, fields),
  };
}

/** The names that a reference may mean inside a container (`a.b` tries `a.b.x`, `a.x`, `x`). */
export function candidateNames(container: string, name: string): string[] {
  if (name.startsWith('.')) return [name.slice(1)];
  const candidates: string[] = [];
  for (let prefix = container; prefix !== ''; prefix = prefix.slice(0, Math.max(0, prefix.lastIndexOf('.')))) {
    candidates.push(`${prefix}.${name}`);
  }
  candidates.push(name);
  return candidates;
}
