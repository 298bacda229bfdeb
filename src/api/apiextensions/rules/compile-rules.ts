import { kubernetesEnvironment } from '#machinery/cel/kubernetes/environment.ts';
import { type SchemaNode, schemaSizes, SchemaTypes } from '#machinery/cel/kubernetes/schema-types.ts';
import type { StructuralSchema } from '#machinery/cel/kubernetes/structural-schema.ts';
import type { CelEnvironment, CompileResult } from '#machinery/cel/environment.ts';
import { compilationErrorText } from '#machinery/cel/errors.ts';
import type { CelProgram } from '#machinery/cel/program.ts';
import { optionalType } from '#machinery/cel/types/type.ts';
import { findField } from '../structural/field-reference.ts';
import type { JsonSchema, ValidationRule } from '../structural/json-schema.ts';

/** The largest request: no list in it can have more items than there is room for. */
const REQUEST_BYTES_MAX = 3 * 1024 * 1024;

/** A rule of `x-kubernetes-validations`, ready to be evaluated, or with what is wrong about it. */
export interface CompiledRule {
  readonly rule: ValidationRule;
  /** Absent where the rule is empty or wrong. */
  readonly program?: CelProgram;
  readonly error?: string;
  readonly usesOldSelf: boolean;
  /** The most that one evaluation costs, as estimated from the schema's limits; may be infinite. */
  readonly maxCost: number;
  /** How often the schema can stand in an object where nothing limits it. */
  readonly maxCardinality: number;
  readonly message?: CelProgram;
  readonly messageError?: string;
  readonly messageMaxCost: number;
  /** Where below the schema an error is shown. */
  readonly fieldPath?: string;
}

const compiled = {
  resource: new WeakMap<JsonSchema, CompiledRule[]>(),
  part: new WeakMap<JsonSchema, CompiledRule[]>(),
};

/** The rules of one schema, without those below it. Compiled once. */
export function compiledRules(schema: JsonSchema, { isResource }: { isResource: boolean }): readonly CompiledRule[] {
  const known = isResource ? compiled.resource : compiled.part;
  let rules = known.get(schema);
  if (rules === undefined) {
    rules = compileAll(schema, isResource);
    known.set(schema, rules);
  }
  return rules;
}

function compileAll(schema: JsonSchema, isResource: boolean): CompiledRule[] {
  const rules = schema['x-kubernetes-validations'] ?? [];
  if (rules.length === 0) return [];
  // Safe: what the mapping reads is the same in both; other forms of `items` are no structural schemas.
  const types = new SchemaTypes(schema as StructuralSchema, { isResource });
  const { root } = types;
  if (root === undefined) {
    const error = 'failed to convert to declType for CEL validation rules';
    return rules.map((rule) => ({ rule, error, usesOldSelf: false, maxCost: 0, maxCardinality: 0, messageMaxCost: 0 }));
  }
  const environmentFor = (oldSelf: SchemaNode['type']): CelEnvironment =>
    kubernetesEnvironment().extend({ variables: { self: root.type, oldSelf }, provider: types });
  const plain = environmentFor(root.type);
  let optional: CelEnvironment | undefined;
  return rules.map((rule) => {
    if (rule.optionalOldSelf === true) optional ??= environmentFor(optionalType(root.type));
    const environment = rule.optionalOldSelf === true ? (optional ?? plain) : plain;
    return compileOne(rule, { environment, root, schema });
  });
}

interface RuleContext {
  readonly environment: CelEnvironment;
  readonly root: SchemaNode;
  readonly schema: JsonSchema;
}

function compileOne(rule: ValidationRule, { environment, root, schema }: RuleContext): CompiledRule {
  const maxCardinality = Math.floor(REQUEST_BYTES_MAX / (root.minBytes + 1));
  const nothing = { rule, usesOldSelf: false, maxCost: 0, maxCardinality, messageMaxCost: 0 };
  if (rule.rule.trim() === '') return nothing;
  const sizes = schemaSizes({ self: root, oldSelf: root });
  const result = environment.compile(rule.rule);
  if (!result.ok) return { ...nothing, error: compilationErrorText(result.issues, rule.rule) };
  if (result.outputType.kind !== 'bool') return { ...nothing, error: 'cel expression must evaluate to a bool' };
  const found = (rule.fieldPath ?? '') === '' ? undefined : findField(rule.fieldPath ?? '', schema);
  const base: CompiledRule = {
    ...nothing,
    program: result.program,
    usesOldSelf: result.program.variableNames.includes('oldSelf'),
    maxCost: result.cost(sizes).max,
    ...(found?.type === 'found' ? { fieldPath: found.path.toString() } : {}),
  };
  if ((rule.messageExpression ?? '') === '') return base;
  return {
    ...base,
    ...messageOf(rule.messageExpression ?? '', environment.compile(rule.messageExpression ?? ''), sizes),
  };
}

function messageOf(
  source: string,
  result: CompileResult,
  sizes: ReturnType<typeof schemaSizes>,
): Pick<CompiledRule, 'messageMaxCost'> & Partial<Pick<CompiledRule, 'message' | 'messageError'>> {
  if (!result.ok) {
    return { messageError: `messageExpression ${compilationErrorText(result.issues, source)}`, messageMaxCost: 0 };
  }
  if (result.outputType.kind !== 'string') {
    return { messageError: 'messageExpression must evaluate to a string', messageMaxCost: 0 };
  }
  return { message: result.program, messageMaxCost: result.cost(sizes).max };
}
