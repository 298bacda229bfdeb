import { describe, expect, test } from 'vitest';
import { fieldErrorText } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { JsonSchema, ValidationRule } from '../structural/json-schema.ts';
import { validateSchema } from '../v1/validation/schema.ts';
import { evaluateRules } from './evaluate-rules.ts';

const ROOT = new FieldPath();
const NEW = { hasStatus: false, isUnchanged: false, requiresStructural: true };

function schemaWith(...rules: ValidationRule[]): JsonSchema {
  return {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        'x-kubernetes-validations': rules,
        properties: {
          replicas: { type: 'integer' },
          maxReplicas: { type: 'integer' },
          name: { type: 'string', maxLength: 10 },
          list: { type: 'array', maxItems: 10, items: { type: 'string', maxLength: 10 } },
        },
      },
    },
  };
}

function evaluate(schema: JsonSchema, spec: object, old?: object): string[] {
  const object = { apiVersion: 'a/v1', kind: 'A', metadata: { name: 'a' }, spec };
  const before = old === undefined ? undefined : { ...object, spec: old };
  return evaluateRules(object, schema, { path: ROOT, old: before }).map(fieldErrorText);
}

describe('Rules in CEL', () => {
  const order: ValidationRule = { rule: 'self.replicas <= self.maxReplicas' };

  test.each<[string, ValidationRule, object, object | undefined, string[]]>([
    ['hold', order, { replicas: 1, maxReplicas: 2 }, undefined, []],
    [
      'fail with their own text',
      order,
      { replicas: 3, maxReplicas: 2 },
      undefined,
      ['spec: Invalid value: failed rule: self.replicas <= self.maxReplicas'],
    ],
    [
      'fail with a message',
      { ...order, message: 'too many' },
      { replicas: 3, maxReplicas: 2 },
      undefined,
      ['spec: Invalid value: too many'],
    ],
    [
      'fail with a computed message',
      { ...order, messageExpression: '"at most " + string(self.maxReplicas)' },
      { replicas: 3, maxReplicas: 2 },
      undefined,
      ['spec: Invalid value: at most 2'],
    ],
    [
      'point to a field with a reason',
      { ...order, fieldPath: '.replicas', reason: 'FieldValueForbidden' },
      { replicas: 3, maxReplicas: 2 },
      undefined,
      ['spec.replicas: Forbidden: failed rule: self.replicas <= self.maxReplicas'],
    ],
    [
      'tell of errors',
      order,
      { replicas: 3 },
      undefined,
      ['spec: Invalid value: "object": no such key: maxReplicas evaluating rule: self.replicas <= self.maxReplicas'],
    ],
    ['about changes are left out on creation', { rule: 'self == oldSelf' }, { replicas: 1 }, undefined, []],
    [
      'judge changes',
      { rule: 'self == oldSelf', message: 'immutable' },
      { replicas: 1 },
      { replicas: 2 },
      ['spec: Invalid value: immutable'],
    ],
    [
      'may ask whether there was something',
      { rule: 'oldSelf.hasValue() || self.replicas == 1', optionalOldSelf: true },
      { replicas: 2 },
      undefined,
      ['spec: Invalid value: failed rule: oldSelf.hasValue() || self.replicas == 1'],
    ],
    ['pass over what did not change', order, { replicas: 3, maxReplicas: 2 }, { replicas: 3, maxReplicas: 2 }, []],
  ])('%s', (_, rule, spec, old, errors) => {
    expect(evaluate(schemaWith(rule), spec, old)).toEqual(errors);
  });

  test('share a budget', () => {
    const rule = 'self.list.all(a, self.list.all(b, self.list.all(c, self.list.all(d, self.list.all(e, a != "x")))))';
    const rules = Array.from({ length: 40 }, () => ({ rule }));
    const list = Array.from({ length: 10 }, (_, index) => `i${index}`);
    expect(evaluate(schemaWith(...rules), { list }).at(-1)).toContain('no further validation rules will be run');
  });
});

describe('Schemas with rules', () => {
  function errorsOf(schema: JsonSchema): string[] {
    return validateSchema(schema, new FieldPath('schema'), NEW).map(fieldErrorText);
  }

  test('are compiled when they are written', () => {
    expect(errorsOf(schemaWith({ rule: 'self.replicas <= self.none' }))).toEqual([
      expect.stringMatching(
        /^schema\.properties\[spec\]\.x-kubernetes-validations\[0\]\.rule: Invalid value: .*: compilation failed: ERROR: <input>:1:22: undefined field 'none'/,
      ),
    ]);
    expect(errorsOf(schemaWith({ rule: 'self.replicas' }))[0]).toContain('cel expression must evaluate to a bool');
    expect(errorsOf(schemaWith({ rule: ' ' }))).toEqual([
      'schema.properties[spec].x-kubernetes-validations[0].rule: Required value: rule is not specified',
    ]);
    expect(errorsOf(schemaWith({ rule: 'true', reason: 'Other' }))[0]).toContain('Unsupported value: "Other"');
    expect(errorsOf(schemaWith({ rule: 'true', fieldPath: '.nothing' }))[0]).toContain('must be a valid path');
    expect(errorsOf(schemaWith({ rule: 'true', optionalOldSelf: true }))[0]).toContain(
      'may not be set if oldSelf is not',
    );
  });

  test('may not cost more than their limits allow', () => {
    const unbounded: JsonSchema = {
      type: 'object',
      properties: {
        l: {
          type: 'array',
          items: { type: 'string' },
          'x-kubernetes-validations': [{ rule: 'self.all(a, self.all(b, a == b))' }],
        },
      },
    };
    const [first, ...rest] = errorsOf(unbounded);
    expect(first).toContain('Forbidden: estimated rule cost exceeds budget by factor of more than 100x');
    expect(rest.at(-1)).toContain('schema: Forbidden: x-kubernetes-validations estimated rule cost total');
  });

  test('cannot look back where nothing is correlated', () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: {
        l: {
          type: 'array',
          maxItems: 5,
          items: { type: 'string', maxLength: 5, 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] },
        },
      },
    };
    expect(errorsOf(schema)).toEqual([
      'schema.properties[l].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot ' +
        'be used on the uncorrelatable portion of the schema within schema.properties[l]',
    ]);
  });
});
