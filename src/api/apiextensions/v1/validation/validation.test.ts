import { describe, expect, test } from 'vitest';
import { fieldErrorText } from '#machinery/field/field-error.ts';
import type { CustomResourceDefinition } from '../../../generated/types.ts';
import type { JsonSchema } from '../../structural/json-schema.ts';
import { validateDefinition } from './definition.ts';

type Spec = CustomResourceDefinition['spec'];

function definition(change: (spec: Spec) => void = () => {}): CustomResourceDefinition {
  const spec: Spec = {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
    conversion: { strategy: 'None' },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  };
  change(spec);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${spec.names.plural}.${spec.group}` },
    spec,
    status: { storedVersions: ['v1'] },
  };
}

function errorsOf(change: (spec: Spec) => void): string[] {
  return validateDefinition(definition(change)).map(fieldErrorText);
}

function withSchema(schema: JsonSchema): (spec: Spec) => void {
  return (spec) => {
    // A schema of the structural form is one of the general form.
    for (const version of spec.versions) version.schema = { openAPIV3Schema: structuredClone(schema) as object };
  };
}

describe('Validation of definitions', () => {
  test('lets a plain one pass', () => {
    expect(errorsOf(() => {})).toEqual([]);
  });

  test.each<[string, (spec: Spec) => void, string]>([
    [
      'a group without a dot',
      (spec) => (spec.group = 'example'),
      'spec.group: Invalid value: "example": should be a domain with at least one dot',
    ],
    [
      'a strange scope',
      (spec) => (spec.scope = 'World'),
      'spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"',
    ],
    ['no schema', (spec) => delete spec.versions[0]?.schema, 'spec.versions[0].schema.openAPIV3Schema: Required value'],
    [
      'kind as listKind',
      (spec) => (spec.names.listKind = 'Thing'),
      'spec.names.listKind: Invalid value: "Thing": kind and listKind may not be the same',
    ],
    [
      'a bad short name',
      (spec) => (spec.names.shortNames = ['A']),
      'spec.names.shortNames[0]: Invalid value: "A": a DNS-1035 label',
    ],
    [
      'no storage version',
      (spec) => spec.versions.forEach((version) => (version.storage = false)),
      'must have exactly one version marked as storage version',
    ],
    [
      'preserveUnknownFields',
      (spec) => (spec.preserveUnknownFields = true),
      'spec.preserveUnknownFields: Invalid value: true: cannot set to true',
    ],
    [
      'a conversion without webhook',
      (spec) => (spec.conversion = { strategy: 'Webhook' }),
      'spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook',
    ],
    [
      'a column of an unknown type',
      (spec) =>
        Object.assign(spec.versions[0] ?? {}, { additionalPrinterColumns: [{ name: 'A', type: 'x', jsonPath: '.a' }] }),
      'spec.additionalPrinterColumns[0].type: Invalid value: "x": must be one of boolean,date,integer,number,string',
    ],
    [
      'a scale path elsewhere',
      (spec) =>
        Object.assign(spec.versions[0] ?? {}, {
          subresources: { scale: { specReplicasPath: '.a.b', statusReplicasPath: '.status.r' } },
        }),
      'spec.subresources.scale.specReplicasPath: Invalid value: ".a.b": should be a json path under .spec',
    ],
    [
      'an unknown selectable field',
      (spec) => Object.assign(spec.versions[0] ?? {}, { selectableFields: [{ jsonPath: '.spec.x' }] }),
      'spec.selectableFields[0].jsonPath: Invalid value: ".spec.x": is an invalid path: does not refer to a valid field',
    ],
    [
      'a warning without deprecation',
      (spec) => Object.assign(spec.versions[0] ?? {}, { deprecationWarning: 'x' }),
      'spec.versions[0].deprecationWarning: Invalid value: "x": can only be set for deprecated versions',
    ],
  ])('refuses %s', (_, change, text) => {
    expect(errorsOf(change).join('\n')).toContain(text);
  });

  test.each<[string, JsonSchema, string]>([
    ['no type at the root', {}, 'spec.validation.openAPIV3Schema.type: Required value: must not be empty at the root'],
    [
      'no type of a field',
      { type: 'object', properties: { a: {} } },
      'properties[a].type: Required value: must not be empty for specified object fields',
    ],
    [
      'a list without items',
      { type: 'object', properties: { a: { type: 'array' } } },
      'properties[a].items: Required value: must be specified',
    ],
    [
      'a type in a junctor',
      { type: 'object', properties: { a: { type: 'string', anyOf: [{ type: 'string' }] } } },
      'anyOf[0].type: Forbidden: must be empty to be structural',
    ],
    [
      'a field that is only in a junctor',
      { type: 'object', allOf: [{ properties: { a: { maxLength: 1 } } }] },
      'properties[a]: Required value: because it is defined in spec.validation.openAPIV3Schema.allOf[0].properties[a]',
    ],
    [
      'additionalProperties at the root',
      { type: 'object', additionalProperties: true },
      'additionalProperties: Forbidden: must not be used at the root',
    ],
    [
      'a schema for metadata',
      { type: 'object', properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } } },
      'must not specify anything other than name and generateName, but metadata is implicitly specified',
    ],
    [
      'properties beside additionalProperties',
      {
        type: 'object',
        properties: {
          a: { type: 'object', properties: { b: { type: 'string' } }, additionalProperties: { type: 'string' } },
        },
      },
      'additionalProperties and properties are mutual exclusive',
    ],
    [
      'a default that its schema refuses',
      { type: 'object', properties: { a: { type: 'integer', default: 'x' } } },
      'properties[a].default: Invalid value: "string":  in body must be of type integer',
    ],
    [
      'a default with unknown fields',
      { type: 'object', properties: { a: { type: 'object', default: { b: 1 } } } },
      'properties[a].default: Invalid value: {"b":1}: must not have unknown fields',
    ],
    [
      'a pattern that is none',
      { type: 'object', properties: { a: { type: 'string', pattern: '(' } } },
      "must be a valid regular expression, but isn't: error parsing regexp: missing closing ): `(`",
    ],
    [
      'unique items',
      { type: 'object', properties: { a: { type: 'array', uniqueItems: true, items: { type: 'string' } } } },
      'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
    ],
    [
      'a map without keys',
      {
        type: 'object',
        properties: { a: { type: 'array', 'x-kubernetes-list-type': 'map', items: { type: 'object' } } },
      },
      'x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map',
    ],
    [
      'keys that may be absent',
      {
        type: 'object',
        properties: {
          a: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['k'],
            items: { type: 'object', properties: { k: { type: 'string' } } },
          },
        },
      },
      'items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
    ],
    [
      'nullable at the root',
      { type: 'object', nullable: true },
      'nullable: Forbidden: nullable cannot be true at the root',
    ],
    [
      'int-or-string with unknown fields',
      {
        type: 'object',
        properties: { a: { 'x-kubernetes-int-or-string': true, 'x-kubernetes-preserve-unknown-fields': true } },
      },
      'must be false if x-kubernetes-int-or-string is true',
    ],
  ])('refuses a schema with %s', (_, schema, text) => {
    expect(errorsOf(withSchema(schema)).join('\n')).toContain(text);
  });

  test('names the version where versions differ', () => {
    const errors = errorsOf((spec) => {
      const [first] = spec.versions;
      if (first === undefined) return;
      spec.versions.push({ ...first, name: 'v2', storage: false, schema: { openAPIV3Schema: { type: 'string' } } });
    });
    expect(errors).toEqual([
      'spec.versions[1].schema.openAPIV3Schema.type: Invalid value: "string": must be object at the root',
    ]);
  });

  test('of a community group asks for approval', () => {
    const errors = validateDefinition(definition((spec) => (spec.group = 'x.k8s.io'))).map(fieldErrorText);
    expect(errors).toEqual([
      'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation ' +
        '"api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
    ]);
  });

  test('keeps what was accepted immutable', () => {
    const old = definition();
    old.status = { ...old.status, conditions: [{ type: 'Established', status: 'True' }] };
    const next = definition((spec) => {
      spec.scope = 'Cluster';
      spec.names.kind = 'Other';
    });
    expect(validateDefinition(next, old).map(fieldErrorText)).toEqual([
      'spec.scope: Invalid value: "Cluster": field is immutable',
      'spec.names.kind: Invalid value: "Other": field is immutable',
    ]);
  });
});
