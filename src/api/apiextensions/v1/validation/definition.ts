import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1035Label, isDns1123Subdomain } from '#machinery/validation/names.ts';
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../../../generated/types.ts';
import { checkOneOf } from '../../../validation/basics.ts';
import type { JsonSchema } from '../../structural/json-schema.ts';
import { API_APPROVED_ANNOTATION, apiApproval, isProtectedGroup } from '../api-approval.ts';
import { isConditionTrue } from '../conditions.ts';
import { validateConversion } from './conversion.ts';
import { validateNames } from './names.ts';
import { isSchemaStructural, type SchemaOptions, validateSchema } from './schema.ts';
import { validateColumns, validateSelectableFields, validateSubresources } from './version-rules.ts';

const SPEC = new FieldPath('spec');
const STATUS = new FieldPath('status');

/** Checks a definition at its creation, or with `old` at an update; in upstream's words and order. */
export function validateDefinition(crd: CustomResourceDefinition, old?: CustomResourceDefinition): FieldError[] {
  return [
    ...(old === undefined ? nameErrors(crd) : []),
    ...specErrors(crd, old),
    ...(old === undefined ? [] : immutableErrors(crd, old)),
    ...statusErrors(crd),
    ...storedVersionErrors(crd),
    ...approvalErrors(crd, old),
    ...preserveErrors(crd, old),
  ];
}

/** What is checked when the status is written. */
export function statusErrors({ status }: CustomResourceDefinition): FieldError[] {
  const names = status?.acceptedNames;
  return names === undefined ? [] : validateNames(names, STATUS.child('acceptedNames'));
}

function nameErrors({ metadata, spec }: CustomResourceDefinition): FieldError[] {
  const wanted = `${spec.names.plural ?? ''}.${spec.group ?? ''}`;
  if (metadata.name === wanted) return [];
  const detail = 'must be spec.names.plural+"."+spec.group';
  return [invalidValue(new FieldPath('metadata.name'), metadata.name ?? '', detail)];
}

function specErrors(crd: CustomResourceDefinition, old: CustomResourceDefinition | undefined): FieldError[] {
  const { spec } = crd;
  const errors: FieldError[] = [...groupErrors(spec.group ?? '')];
  checkOneOf(spec.scope, ['Cluster', 'Namespaced'], SPEC.child('scope'), errors);
  const versionsPath = SPEC.child('versions');
  const withoutSchema = (version: CustomResourceDefinitionVersion): boolean =>
    version.schema?.openAPIV3Schema === undefined;
  // What was stored without schemas may stay so.
  const requiresSchemas = old === undefined || !old.spec.versions.some(withoutSchema);
  for (const [index, version] of spec.versions.entries()) {
    if (!withoutSchema(version)) continue;
    const at = versionsPath.index(index).child('schema', 'openAPIV3Schema');
    if (requiresSchemas) errors.push(required(at, ''));
    else if (version.served) errors.push(required(at, 'because otherwise all fields are pruned'));
  }
  errors.push(...versionErrors(crd, old));
  const names = new Set(spec.versions.map(({ name }) => name));
  if (names.size < spec.versions.length) {
    errors.push(invalidValue(versionsPath, spec.versions, 'must contain unique version names'));
  }
  if (spec.versions.filter(({ storage }) => storage).length !== 1) {
    errors.push(invalidValue(versionsPath, spec.versions, 'must have exactly one version marked as storage version'));
  }
  const namesPath = SPEC.child('names');
  for (const field of ['plural', 'singular', 'kind', 'listKind'] as const) {
    if ((spec.names[field] ?? '') === '') errors.push(required(namesPath.child(field), ''));
  }
  errors.push(...validateNames(spec.names, namesPath), ...sharedErrors(crd, old));
  if (spec.conversion !== undefined) {
    errors.push(
      ...validateConversion(spec.conversion, { crd, old: old?.spec.conversion, wasEstablished: isEstablished(old) }),
    );
  }
  return errors;
}

function groupErrors(group: string): FieldError[] {
  const path = SPEC.child('group');
  if (group === '') return [required(path, '')];
  const problems = isDns1123Subdomain(group);
  if (problems.length > 0) return [invalidValue(path, group, problems.join(','))];
  return group.includes('.') ? [] : [invalidValue(path, group, 'should be a domain with at least one dot')];
}

/**
 * What all versions have in common upstream looks at once, as a part of the spec itself: that is where its errors point
 * to, and so do ours.
 */
interface Shared {
  readonly schema: boolean;
  readonly subresources: boolean;
  readonly columns: boolean;
  readonly fields: boolean;
}

function sharedParts({ spec }: CustomResourceDefinition): Shared {
  const [first] = spec.versions;
  const isShared = (part: (version: CustomResourceDefinitionVersion) => unknown): boolean =>
    spec.versions.every((version) => deepEqual(part(version), first === undefined ? undefined : part(first)));
  return {
    schema: isShared((version) => version.schema),
    subresources: isShared((version) => version.subresources),
    columns: isShared((version) => version.additionalPrinterColumns),
    fields: isShared((version) => version.selectableFields),
  };
}

function versionErrors(crd: CustomResourceDefinition, old: CustomResourceDefinition | undefined): FieldError[] {
  const shared = sharedParts(crd);
  return crd.spec.versions.flatMap((version, index) => {
    const path = SPEC.child('versions').index(index);
    const errors: FieldError[] = [];
    const problems = isDns1035Label(version.name);
    if (problems.length > 0) errors.push(invalidValue(path.child('name'), version.name, problems.join(',')));
    for (const problem of warningProblems(version)) {
      errors.push(invalidValue(path.child('deprecationWarning'), version.deprecationWarning, problem));
    }
    if (!shared.schema) errors.push(...schemaErrors(version, path.child('schema'), schemaOptions(version, old)));
    if (!shared.subresources) errors.push(...validateSubresources(version.subresources, path.child('subresources')));
    if (!shared.columns) {
      errors.push(...validateColumns(version.additionalPrinterColumns, path.child('additionalPrinterColumns')));
    }
    if (!shared.fields) errors.push(...fieldErrors(version, path, old));
    return errors;
  });
}

function sharedErrors(crd: CustomResourceDefinition, old: CustomResourceDefinition | undefined): FieldError[] {
  const shared = sharedParts(crd);
  const [first] = crd.spec.versions;
  if (first === undefined) return [];
  const hasStatus = crd.spec.versions.some(({ subresources }) => subresources?.status !== undefined);
  const options = { ...schemaOptions(first, old), hasStatus };
  return [
    ...(shared.schema ? schemaErrors(first, SPEC.child('validation'), options) : []),
    ...(shared.subresources ? validateSubresources(first.subresources, SPEC.child('subresources')) : []),
    ...(shared.columns ? validateColumns(first.additionalPrinterColumns, SPEC.child('additionalPrinterColumns')) : []),
    ...(shared.fields ? fieldErrors(first, SPEC, old) : []),
  ];
}

function schemaOptions(
  version: CustomResourceDefinitionVersion,
  old: CustomResourceDefinition | undefined,
): SchemaOptions {
  const before = old?.spec.versions.find(({ name }) => name === version.name)?.schema;
  return {
    hasStatus: version.subresources?.status !== undefined,
    isUnchanged: before !== undefined && deepEqual(before, version.schema),
    requiresStructural: old === undefined || old.spec.versions.every(isSchemaStructural),
  };
}

function schemaErrors(version: CustomResourceDefinitionVersion, path: FieldPath, options: SchemaOptions): FieldError[] {
  // Safe: the server decoded it by the schema of JSONSchemaProps.
  const schema = version.schema?.openAPIV3Schema as JsonSchema | undefined;
  return schema === undefined ? [] : validateSchema(schema, path.child('openAPIV3Schema'), options);
}

function fieldErrors(
  { name, selectableFields, schema }: CustomResourceDefinitionVersion,
  path: FieldPath,
  old: CustomResourceDefinition | undefined,
): FieldError[] {
  const before = old?.spec.versions.find((version) => version.name === name)?.selectableFields;
  return validateSelectableFields(selectableFields, path.child('selectableFields'), {
    // Safe: as above.
    schema: schema?.openAPIV3Schema as JsonSchema | undefined,
    allowsTooMany: before !== undefined && deepEqual(before, selectableFields),
  });
}

function warningProblems({ deprecated = false, deprecationWarning }: CustomResourceDefinitionVersion): string[] {
  if (deprecationWarning === undefined) return [];
  if (!deprecated) return ['can only be set for deprecated versions'];
  const problems: string[] = [];
  if (Buffer.byteLength(deprecationWarning) > 256) problems.push('must be <= 256 characters long');
  if (deprecationWarning === '') problems.push('must not be an empty string');
  const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(deprecationWarning);
  if (unprintable !== null) {
    const index = Buffer.byteLength(deprecationWarning.slice(0, unprintable.index));
    problems.push(`must only contain printable UTF-8 characters; non-printable character found at index ${index}`);
  }
  return problems;
}

function isEstablished(crd: CustomResourceDefinition | undefined): boolean {
  return isConditionTrue(crd?.status?.conditions, 'Established');
}

function immutableErrors({ spec }: CustomResourceDefinition, old: CustomResourceDefinition): FieldError[] {
  const errors: FieldError[] = [];
  const keep = (next: unknown, before: unknown, path: FieldPath): void => {
    if (next !== before) errors.push(invalidValue(path, next, 'field is immutable'));
  };
  if (isEstablished(old)) {
    keep(spec.scope, old.spec.scope, SPEC.child('scope'));
    keep(spec.names.kind, old.spec.names.kind, SPEC.child('names', 'kind'));
  }
  keep(spec.group, old.spec.group, SPEC.child('group'));
  keep(spec.names.plural, old.spec.names.plural, SPEC.child('names', 'plural'));
  return errors;
}

function storedVersionErrors({ spec, status }: CustomResourceDefinition): FieldError[] {
  const path = STATUS.child('storedVersions');
  const stored = status?.storedVersions ?? [];
  if (stored.length === 0) return [invalidValue(path, [], 'must have at least one stored version')];
  const errors: FieldError[] = [];
  const storage = spec.versions.find((version) => version.storage);
  if (storage !== undefined && !stored.includes(storage.name)) {
    errors.push(invalidValue(path, stored, `must have the storage version ${storage.name}`));
  }
  for (const [index, name] of stored.entries()) {
    if (spec.versions.some((version) => version.name === name)) continue;
    const detail =
      `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until ` +
      `a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
    errors.push(invalidValue(path.index(index), name, detail));
  }
  return errors;
}

function approvalErrors(crd: CustomResourceDefinition, old: CustomResourceDefinition | undefined): FieldError[] {
  if (!isProtectedGroup(crd.spec.group ?? '')) return [];
  const { state, reason } = apiApproval(crd.metadata.annotations);
  if (old !== undefined && apiApproval(old.metadata.annotations).state === state) return [];
  const path = new FieldPath('metadata.annotations').key(API_APPROVED_ANNOTATION);
  if (state === 'missing') return [required(path, reason)];
  return state === 'invalid' ? [invalidValue(path, crd.metadata.annotations?.[API_APPROVED_ANNOTATION], reason)] : [];
}

function preserveErrors({ spec }: CustomResourceDefinition, old: CustomResourceDefinition | undefined): FieldError[] {
  if (spec.preserveUnknownFields !== true || old?.spec.preserveUnknownFields === true) return [];
  const detail =
    'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
  return [invalidValue(SPEC.child('preserveUnknownFields'), true, detail), ...conversionErrors(spec.conversion)];
}

function conversionErrors(conversion: CustomResourceDefinition['spec']['conversion']): FieldError[] {
  if (conversion === undefined || conversion.strategy === 'None') return [];
  const detail = 'must be None if spec.preserveUnknownFields is true';
  return [invalidValue(SPEC.child('conversion', 'strategy'), conversion.strategy, detail)];
}
