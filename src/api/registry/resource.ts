import type { FieldError } from '#machinery/field/field-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { CompiledSchema } from '#machinery/schema/compile.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';

/**
 * A resource is declared, not programmed: everything the generic storage, discovery, OpenAPI, tables and selectors
 * need to know about it. Built-in kinds live one folder a group and version under `api/`; custom resources build the
 * same record at run time.
 */
export interface ResourceDefinition {
  readonly group: string;
  readonly version: string;
  /** Plural, as in paths. */
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly Verb[];
  /** Where objects are stored, without a trailing slash: `/registry/pods`. Absent: nothing is stored (reviews). */
  readonly storagePrefix?: string;
  /** Name of the schema in `#api/generated`: `io.k8s.api.core.v1.Pod`. */
  readonly schemaName: string;
  readonly subresources: readonly SubresourceDefinition[];
  readonly strategy: Strategy;
  readonly columns: readonly TableColumn[];
  /** Fields besides metadata.name and metadata.namespace that field selectors may name, with how to read them. */
  readonly selectableFields: Readonly<Record<string, (object: KubeObject) => string>>;
  /** Objects of this resource vanish after this time (events: 1 hour). */
  readonly ttlSeconds?: number;
  /** Where the resource is a view of another version's objects, which are what the store holds. */
  readonly storedAs?: StoredForm;
  /** A text for the `Warning` header of every request for this version. */
  readonly deprecationWarning?: string;
  /** Defined by a CustomResourceDefinition: there is no protobuf form and no strategic merge patch. */
  readonly isCustom?: boolean;
  /** What a custom resource has and no built-in one needs. */
  readonly custom?: CustomRules;
}

/** The rules of one version of a custom resource; schemas are compiled at first use. */
export interface CustomRules {
  /** Changes whenever the definition's spec does. */
  readonly fingerprint: string;
  /** The version that the store is written in. */
  readonly storageVersion: string;
  /** Decodes bodies: prunes, and leaves what is wrong with values to validation. */
  readonly decoder: CompiledSchema;
  /** The built-in schemas and this version's own, under the definition's `schemaName`. */
  readonly schemas: SchemaSet;
  /** The definition is being deleted: nothing new may be created. */
  readonly isTerminating: boolean;
  /** The schema of the kind as OpenAPI publishes it, in either version of the standard. */
  readonly publishedSchema: (dialect: 'v2' | 'v3') => Readonly<Record<string, unknown>>;
}

/** How a served version and the stored version of one object turn into each other; both functions make new objects. */
export interface StoredForm {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly toStored: (served: KubeObject) => KubeObject;
  readonly fromStored: (stored: KubeObject) => KubeObject;
}

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';

export interface SubresourceDefinition {
  /** `status`, `scale`, `binding`, `log`… */
  readonly name: string;
  readonly verbs: readonly Verb[];
  /** Where the subresource speaks another kind (`autoscaling/v1 Scale`, `policy/v1 Eviction`). */
  readonly kind?: { readonly group: string; readonly version: string; readonly kind: string };
}

/** What a write may depend on besides the objects. */
export interface StrategyContext {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly uuid: () => string;
  /** Who asks. Absent where a test runs the rules alone. */
  readonly user?: Requester;
}

export interface Requester {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/**
 * The kind's rules around a write. All functions are pure but for changing the object they are given as `next`.
 * The generic storage itself handles metadata: names, uid, timestamps, generation, finalizers, managedFields.
 */
export interface Strategy {
  /** Fills what the client left out, as upstream's `SetDefaults_*` do. Called on every decode of a request's object. */
  readonly applyDefaults?: (next: KubeObject) => void;
  /** Resets what a client may not set on create (status, mostly), and fills what only the server knows. */
  readonly prepareForCreate?: (next: KubeObject, context: StrategyContext) => void;
  /** Carries over from `current` what an update of the main resource may not change (status, mostly). */
  readonly prepareForUpdate?: (next: KubeObject, current: KubeObject, context: StrategyContext) => void;
  /** The same for a write through `/status` (keeps spec and most of metadata of `current`). */
  readonly prepareForStatusUpdate?: (next: KubeObject, current: KubeObject, context: StrategyContext) => void;
  readonly validate?: (next: KubeObject) => FieldError[];
  readonly validateUpdate?: (next: KubeObject, current: KubeObject) => FieldError[];
  readonly validateStatusUpdate?: (next: KubeObject, current: KubeObject) => FieldError[];
  /** Rules of subresources that write the whole object but are neither the object nor its status: `approval`. */
  readonly subresources?: Readonly<Record<string, SubresourceRules>>;
  /** Texts for the `Warning` header. */
  readonly warnings?: (next: KubeObject, current: KubeObject | undefined) => string[];
  /** How the name is checked; default: DNS subdomain. Returns messages, none if valid. */
  readonly validateName?: (name: string, options: { isPrefix: boolean }) => string[];
  /** Whether changes of `spec` (everything outside metadata and status) raise `metadata.generation`. Default: false. */
  readonly hasGeneration?: boolean;
  /** Changes of the status raise it, too: the resource has no `/status` of its own. Default: false. */
  readonly statusRaisesGeneration?: boolean;
  /** Changes an object at the beginning of its deletion: adds the finalizer that the kind's own clean-up takes away. */
  readonly prepareForDeletion?: (object: KubeObject, nowMs: number) => void;
  /** Changes of annotations raise the generation, too (deployments). Default: false. */
  readonly annotationsRaiseGeneration?: boolean;
  /** An update without resourceVersion is refused unless this is set. Default: true, as for most kinds. */
  readonly allowUnconditionalUpdate?: boolean;
  /** PUT to a name that does not exist creates it (leases, endpoints, …). Default: false. */
  readonly allowCreateOnUpdate?: boolean;
  /** Seconds between a graceful deletion and the end, where the kind has one (pods). 0 deletes at once. */
  readonly gracePeriodSeconds?: (object: KubeObject, requestedSeconds: number | undefined) => number;
  /** What happens to dependents when the client does not say. Default: background. */
  readonly defaultPropagation?: 'Orphan' | 'Background';
  /** `get` and `put` of the scale subresource as paths into the object: `.spec.replicas`. */
  readonly scale?: { readonly specReplicas: string; readonly statusReplicas: string; readonly selector: string };
}

export interface SubresourceRules {
  readonly prepare?: (next: KubeObject, current: KubeObject, context: StrategyContext) => void;
  readonly validate?: (next: KubeObject, current: KubeObject) => FieldError[];
}

/** A column of `kubectl get`, as the server's Table carries it. */
export interface TableColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly description: string;
  /** 0 is shown always, 1 only with `-o wide`. */
  readonly priority: number;
  /** The cell; times are given to `duration.HumanDuration` rules by the caller's `nowMs`. */
  readonly cell: (object: KubeObject, nowMs: number) => unknown;
}
