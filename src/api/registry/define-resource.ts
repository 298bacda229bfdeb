import { defaultColumns } from '../columns/common.ts';
import type { KindRules } from './kind.ts';
import type { ResourceDefinition } from './resource.ts';
import type { ResourceRow } from './resource-row.ts';

/** Where upstream keeps objects whose folder in the store is not their plural. */
const specialPrefixes: Readonly<Record<string, string>> = {
  '/replicationcontrollers': 'controllers',
  '/endpoints': 'services/endpoints',
  '/nodes': 'minions',
  '/services': 'services/specs',
  'networking.k8s.io/ingresses': 'ingress',
  'apiextensions.k8s.io/customresourcedefinitions': 'apiextensions.k8s.io/customresourcedefinitions',
  'apiregistration.k8s.io/apiservices': 'apiregistration.k8s.io/apiservices',
};

/** Joins a row of the resource table with the rules of the kind's own folder. */
export function defineResource(row: ResourceRow, rules: KindRules | undefined): ResourceDefinition {
  const prefix = specialPrefixes[`${row.group}/${row.resource}`] ?? row.resource;
  const { deprecated, ...facts } = row;
  return {
    ...facts,
    singular: row.kind.toLowerCase(),
    listKind: `${row.kind}List`,
    // What can only be created, or is made up on reading, is never stored.
    ...(row.verbs.includes('watch') ? { storagePrefix: `/registry/${prefix}` } : {}),
    strategy: rules?.strategy ?? {},
    columns: rules?.columns ?? defaultColumns,
    selectableFields: rules?.selectableFields ?? {},
    ...(rules?.ttlSeconds === undefined ? {} : { ttlSeconds: rules.ttlSeconds }),
    ...(rules?.storedAs === undefined ? {} : { storedAs: rules.storedAs }),
    ...(deprecated === undefined ? {} : { deprecationWarning: deprecationText(row) }),
  };
}

/** As upstream words it: `GROUP/VERSION KIND is deprecated in v1.35+, unavailable in v1.38+; use …`. */
function deprecationText({ group, version, kind, deprecated }: ResourceRow): string {
  const { since = '', removed, replacement } = deprecated ?? {};
  return (
    `${group === '' ? version : `${group}/${version}`} ${kind} is deprecated in v${since}+` +
    (removed === undefined ? '' : `, unavailable in v${removed}+`) +
    (replacement === undefined ? '' : `; use ${replacement}`)
  );
}
