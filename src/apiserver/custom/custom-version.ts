import type { CustomRules } from '#api/registry/resource.ts';
import { evaluateRules, hasRules } from '#api/apiextensions/rules/evaluate-rules.ts';
import { applySchemaDefaults, pruneNulls } from '#api/apiextensions/structural/defaults.ts';
import { coerceEmbedded } from '#api/apiextensions/structural/embedded.ts';
import type { JsonSchema } from '#api/apiextensions/structural/json-schema.ts';
import { prune } from '#api/apiextensions/structural/prune.ts';
import { publishedSchema } from '#api/apiextensions/structural/published.ts';
import type { FieldError } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { fieldsOf, type KubeObject } from '#machinery/meta/types.ts';
import { type CompiledSchema, compileSchema } from '#machinery/schema/compile.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';
import { CustomDecoder } from './decoder.ts';
import { managedSchema } from './managed-schema.ts';

export const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

export interface CustomVersionInit {
  readonly schemaName: string;
  readonly fingerprint: string;
  readonly storageVersion: string;
  readonly isTerminating: boolean;
  /** Reads the schema from its definition; called once, at the first use of the version. */
  readonly readSchema: () => JsonSchema;
  readonly builtinSchemas: SchemaSet;
}

/** The rules of one version of a custom resource. What follows from its schema is made at the first use. */
export class CustomVersion implements CustomRules {
  readonly fingerprint: string;
  readonly storageVersion: string;
  readonly isTerminating: boolean;
  readonly #init: CustomVersionInit;
  #schema: JsonSchema | undefined;
  #decoder: CustomDecoder | undefined;
  #schemas: SchemaSet | undefined;

  constructor(init: CustomVersionInit) {
    this.#init = init;
    this.fingerprint = init.fingerprint;
    this.storageVersion = init.storageVersion;
    this.isTerminating = init.isTerminating;
  }

  get schema(): JsonSchema {
    this.#schema ??= this.#init.readSchema();
    return this.#schema;
  }

  get metadata(): CompiledSchema {
    return compileSchema(this.#init.builtinSchemas, OBJECT_META);
  }

  get decoder(): CompiledSchema {
    this.#decoder ??= new CustomDecoder({ schema: this.schema, metadata: this.metadata });
    return this.#decoder;
  }

  get schemas(): SchemaSet {
    if (this.#schemas === undefined) {
      const { builtinSchemas, schemaName } = this.#init;
      // Safe: the built-in definitions are inherited, and look-ups by name do not ask where from.
      const schemas = Object.create(builtinSchemas) as Record<string, SchemaSet[string]>;
      schemas[schemaName] = managedSchema(this.schema, { isRoot: true });
      this.#schemas = schemas;
    }
    return this.#schemas;
  }

  publishedSchema(dialect: 'v2' | 'v3'): Readonly<Record<string, unknown>> {
    return publishedSchema(this.schema, dialect);
  }

  /** Whether the schema has rules in CEL. */
  get hasValidationRules(): boolean {
    return hasRules(this.schema);
  }

  /** What the schema's rules say about an object, or about its change. */
  evaluateRules(next: KubeObject, current: KubeObject | undefined): FieldError[] {
    return evaluateRules(next, this.schema, { path: new FieldPath(), old: current });
  }

  applyDefaults(object: KubeObject): void {
    applySchemaDefaults(object, this.schema);
  }

  /** Makes a stored object what it would be had it been written today, in place: pruned and, if wanted, defaulted. */
  refresh(object: KubeObject, { defaults }: { defaults: boolean }): void {
    const fields = fieldsOf(object);
    prune(fields, this.schema, { isRoot: true });
    pruneNulls(fields, this.schema);
    coerceEmbedded(fields, this.schema, { metadata: this.metadata, path: new FieldPath() });
    if (defaults) this.applyDefaults(object);
  }
}
