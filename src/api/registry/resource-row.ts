import type { SubresourceDefinition, Verb } from './resource.ts';

/** What the table of the API's resources says about one of them; rules are added by the kind's own folder. */
export interface ResourceRow {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly schemaName: string;
  readonly subresources: readonly SubresourceDefinition[];
  /** Since which release, until which, and what to use instead; as the API's own lifecycle facts say. */
  readonly deprecated?: { readonly since: string; readonly removed?: string; readonly replacement?: string };
}
