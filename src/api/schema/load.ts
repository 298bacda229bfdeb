import type { SchemaSet } from '#machinery/schema/schema.ts';
import schemas from '../generated/schemas.json' with { type: 'json' };

/** The schemas of every stable definition of Kubernetes 1.36, by definition name. */
export function builtinSchemas(): SchemaSet {
  // Safe: the generator writes this form; the compiler's view of the JSON is only wider.
  return schemas as unknown as SchemaSet;
}

/**
 * What the generated schemas say beyond `Schema`: how Kubernetes' own encoder treats a field that is empty.
 * `pointer`: absent and zero are two things. `always`: written even when it is empty.
 */
export interface PresenceSchema {
  readonly type: string;
  readonly fields?: Readonly<Record<string, PresenceSchema>>;
  readonly items?: PresenceSchema;
  readonly ref?: string;
  readonly pointer?: boolean;
  readonly always?: boolean;
  /** The definition that documents name where JSON may carry anything. */
  readonly named?: string;
  readonly unions?: unknown;
  readonly gvk?: readonly { readonly group: string; readonly version: string; readonly kind: string }[];
}

/** The same schemas with the facts about empty fields. */
export function presenceSchemas(): Readonly<Record<string, PresenceSchema>> {
  return schemas as unknown as Readonly<Record<string, PresenceSchema>>;
}
