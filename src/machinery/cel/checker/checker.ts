import type { CelIssue } from '../errors.ts';
import type { FunctionDeclaration, Overload } from '../library/declaration.ts';
import {
  type CallExpression,
  type ComprehensionExpression,
  type Expression,
  type ListExpression,
  type MapExpression,
  OPERATORS,
  qualifiedName,
  type SelectExpression,
  type StructExpression,
} from '../syntax/ast.ts';
import { positionAt } from '../syntax/source.ts';
import {
  BOOL,
  type CelType,
  DYN,
  displaySignature,
  ERROR,
  INT,
  isDyn,
  listType,
  mapType,
  optionalElement,
  optionalType,
  typeParameter,
  typeType,
  withParameters,
} from '../types/type.ts';
import { mostGeneral, Substitutions } from '../types/unify.ts';
import { typeOf } from '../values/type-of.ts';
import { CelTypeValue } from '../values/value.ts';
import { CheckedExpression, type CheckerEnvironment, type CheckResult, type Reference } from './checked.ts';
import { candidateNames } from './type-provider.ts';

/** Issues beyond this many are counted, not kept. */
const ISSUES_MAX = 100;

/** Finds the type of every node, and what its names and calls refer to. */
export function checkExpression(source: string, expression: Expression, environment: CheckerEnvironment): CheckResult {
  return new Checker(source, environment).run(expression);
}

class Checker {
  readonly #source: string;
  readonly #environment: CheckerEnvironment;
  readonly #substitutions = new Substitutions();
  readonly #types: (CelType | undefined)[] = [];
  readonly #references = new Map<number, Reference>();
  readonly #issues: CelIssue[] = [];
  readonly #scopes: Map<string, CelType>[] = [];
  #typeVariableCount = 0;

  constructor(source: string, environment: CheckerEnvironment) {
    this.#source = source;
    this.#environment = environment;
  }

  run(expression: Expression): CheckResult {
    this.#check(expression);
    if (this.#issues.length > 0) return { ok: false, issues: this.#issues };
    const types = this.#types.map((type) => type && this.#substitutions.substitute(type, 'dyn'));
    const parts = { expression, types, references: this.#references, provider: this.#environment.provider };
    return { ok: true, checked: new CheckedExpression(parts) };
  }

  #report(node: { readonly offset: number }, message: string): void {
    if (this.#issues.length >= ISSUES_MAX) return;
    this.#issues.push({ type: 'check', message, ...positionAt(this.#source, node.offset) });
  }

  #check(expression: Expression): CelType {
    const type = this.#infer(expression);
    this.#types[expression.id] = type;
    return type;
  }

  #infer(expression: Expression): CelType {
    switch (expression.type) {
      case 'literal':
        return typeOf(expression.value);
      case 'ident':
        return this.#ident(expression, expression.name) ?? this.#undeclared(expression, expression.name);
      case 'select':
        return this.#select(expression);
      case 'call':
        return this.#call(expression);
      case 'list':
        return this.#list(expression);
      case 'map':
        return this.#map(expression);
      case 'struct':
        return this.#struct(expression);
      case 'comprehension':
        return this.#comprehension(expression);
    }
  }

  #undeclared(node: { readonly offset: number }, name: string): CelType {
    this.#report(node, `undeclared reference to '${name}' (in container '${this.#environment.container}')`);
    return ERROR;
  }

  /** The type of a name, which is a local variable, a variable or a type. */
  #ident(expression: Expression, name: string): CelType | undefined {
    if (!name.startsWith('.')) {
      const local = this.#localVariable(name);
      if (local !== undefined) {
        this.#references.set(expression.id, { type: 'variable', name });
        return local;
      }
    }
    for (const candidate of candidateNames(this.#environment.container, name)) {
      const type = this.#environment.variables.get(candidate);
      if (type !== undefined) {
        // The dot tells a variable of the environment from a local one of the same name.
        this.#references.set(expression.id, { type: 'variable', name: `.${candidate}` });
        return type;
      }
      const named = this.#environment.provider.findType(candidate);
      if (named !== undefined) {
        this.#references.set(expression.id, { type: 'constant', value: new CelTypeValue(named) });
        return typeType(named);
      }
    }
    return undefined;
  }

  #localVariable(name: string): CelType | undefined {
    for (let index = this.#scopes.length - 1; index >= 0; index--) {
      const type = this.#scopes[index]?.get(name);
      if (type !== undefined) return type;
    }
    return undefined;
  }

  #select(expression: SelectExpression): CelType {
    const name = expression.isTest ? undefined : qualifiedName(expression);
    if (name !== undefined && this.#localVariable(name.split('.', 1)[0] ?? '') === undefined) {
      const type = this.#ident(expression, name);
      if (type !== undefined) return type;
    }
    const type = this.#field(expression, expression.operand, { name: expression.field, isOptional: false });
    return expression.isTest ? BOOL : type;
  }

  #field(node: Expression, operand: Expression, field: { name: string; isOptional: boolean }): CelType {
    const operandType = this.#substitutions.substitute(this.#check(operand));
    const element = optionalElement(operandType);
    const result = this.#fieldOf(node, element ?? operandType, field.name);
    return element !== undefined || field.isOptional ? optionalType(result) : this.#substitutions.substitute(result);
  }

  #fieldOf(node: Expression, type: CelType, field: string): CelType {
    switch (type.kind) {
      case 'map':
        return type.parameters[1] ?? DYN;
      case 'struct': {
        const description = this.#environment.provider.findField(type.name, field);
        if (description !== undefined) return description.type;
        this.#report(node, `undefined field '${field}'`);
        return ERROR;
      }
      case 'parameter':
        this.#substitutions.isAssignable(DYN, type);
        return DYN;
      case 'dyn':
      case 'error':
        return DYN;
      default:
        this.#report(node, `type '${type.display}' does not support field selection`);
        return DYN;
    }
  }

  #call(expression: CallExpression): CelType {
    const { name, target, args } = expression;
    if (name === OPERATORS.optionalSelect) return this.#optionalSelect(expression);
    for (const arg of args) this.#check(arg);
    if (target !== undefined) {
      const prefix = qualifiedName(target);
      const namespaced = prefix === undefined ? undefined : this.#findFunction(`${prefix}.${name}`);
      if (namespaced !== undefined) return this.#resolve(expression, namespaced, { args, isNamespaced: true });
      this.#check(target);
    }
    const found = this.#findFunction(name);
    if (found === undefined) return this.#undeclared(expression, name);
    return this.#resolve(expression, found, {
      args: target === undefined ? args : [target, ...args],
      isNamespaced: false,
    });
  }

  #findFunction(name: string): FunctionDeclaration | undefined {
    for (const candidate of candidateNames(this.#environment.container, name)) {
      const found = this.#environment.functions.get(candidate);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #optionalSelect(expression: CallExpression): CelType {
    const [operand, field] = expression.args;
    if (operand === undefined || field?.type !== 'literal' || typeof field.value !== 'string') {
      this.#report(expression, 'unsupported optional field selection');
      return ERROR;
    }
    this.#types[field.id] = typeOf(field.value);
    const declaration = this.#findFunction(expression.name);
    if (declaration !== undefined) {
      const { overloads } = declaration;
      this.#references.set(expression.id, { type: 'function', declaration, overloads, isNamespaced: false });
    }
    return this.#field(expression, operand, { name: field.value, isOptional: true });
  }

  #resolve(
    expression: CallExpression,
    declaration: FunctionDeclaration,
    call: { args: readonly Expression[]; isNamespaced: boolean },
  ): CelType {
    const argTypes = call.args.map((arg) => this.#types[arg.id] ?? ERROR);
    const isMember = expression.target !== undefined && !call.isNamespaced;
    if (declaration.name === OPERATORS.and || declaration.name === OPERATORS.or) {
      return this.#logical(expression, declaration, argTypes);
    }
    const fitting: Overload[] = [];
    let result: CelType | undefined;
    for (const candidate of declaration.overloads) {
      if (candidate.isMember !== isMember || candidate.args.length !== argTypes.length) continue;
      const instance = this.#instantiate(candidate);
      if (!this.#substitutions.isListAssignable(argTypes, instance.args)) continue;
      fitting.push(candidate);
      const candidateResult = this.#substitutions.substitute(instance.result);
      if (result === undefined) result = candidateResult;
      else if (!isDyn(result) && candidateResult.display !== result.display) result = DYN;
    }
    if (result === undefined) {
      const shown = argTypes.map((type) => this.#substitutions.substitute(type, 'dyn'));
      const signature = displaySignature(shown, isMember);
      this.#report(expression, `found no matching overload for '${declaration.name}' applied to '${signature}'`);
      return ERROR;
    }
    const reference = { type: 'function', declaration, overloads: fitting, isNamespaced: call.isNamespaced } as const;
    this.#references.set(expression.id, reference);
    return result;
  }

  #logical(expression: CallExpression, declaration: FunctionDeclaration, argTypes: readonly CelType[]): CelType {
    let result = BOOL;
    for (const [index, type] of argTypes.entries()) {
      if (this.#substitutions.isAssignable(type, BOOL)) continue;
      this.#report(expression.args[index] ?? expression, `expected type 'bool' but found '${type.display}'`);
      result = ERROR;
    }
    const { overloads } = declaration;
    this.#references.set(expression.id, { type: 'function', declaration, overloads, isNamespaced: false });
    return result;
  }

  /** An overload with type parameters of its own. */
  #instantiate(candidate: Overload): { args: readonly CelType[]; result: CelType } {
    const fresh = new Map<string, CelType>();
    const instance = (type: CelType): CelType => {
      if (type.kind === 'parameter') {
        const known = fresh.get(type.name) ?? this.#newTypeVariable();
        fresh.set(type.name, known);
        return known;
      }
      return type.parameters.length === 0 ? type : withParameters(type, type.parameters.map(instance));
    };
    return { args: candidate.args.map(instance), result: instance(candidate.result) };
  }

  #newTypeVariable(): CelType {
    return typeParameter(`_var${this.#typeVariableCount++}`);
  }

  #list(expression: ListExpression): CelType {
    let element: CelType | undefined;
    for (const [index, item] of expression.elements.entries()) {
      let type = this.#check(item);
      if (expression.optionals.has(index)) type = this.#unwrapOptional(item, type);
      element = this.#join(element, type);
    }
    return listType(element ?? this.#newTypeVariable());
  }

  #unwrapOptional(node: Expression, type: CelType): CelType {
    const element = optionalElement(this.#substitutions.substitute(type));
    if (element === undefined && !isDyn(type)) {
      this.#report(node, `expected type '${optionalType(type).display}' but found '${type.display}'`);
    }
    return element ?? type;
  }

  #map(expression: MapExpression): CelType {
    let keyType: CelType | undefined;
    let valueType: CelType | undefined;
    for (const { key, value, isOptional } of expression.entries) {
      keyType = this.#join(keyType, this.#check(key));
      let type = this.#check(value);
      if (isOptional) type = this.#unwrapOptional(value, type);
      valueType = this.#join(valueType, type);
    }
    return mapType(keyType ?? this.#newTypeVariable(), valueType ?? this.#newTypeVariable());
  }

  #join(previous: CelType | undefined, current: CelType): CelType {
    if (previous === undefined) return current;
    if (this.#substitutions.isAssignable(previous, current)) return mostGeneral(previous, current);
    return DYN;
  }

  #struct(expression: StructExpression): CelType {
    const { provider, container } = this.#environment;
    const name = candidateNames(container, expression.name).find(
      (candidate) => provider.findType(candidate) !== undefined,
    );
    const found = name === undefined ? undefined : provider.findType(name);
    if (found === undefined || name === undefined) {
      for (const field of expression.fields) this.#check(field.value);
      return this.#undeclared(expression, expression.name);
    }
    let type = found;
    if (found.kind !== 'struct') {
      this.#report(expression, `'${found.display}' is not a message type`);
      type = ERROR;
    }
    this.#references.set(expression.id, { type: 'struct', name });
    for (const field of expression.fields) this.#structField(field, found);
    return type;
  }

  #structField(field: StructExpression['fields'][number], type: CelType): void {
    let valueType = this.#check(field.value);
    const description = this.#environment.provider.findField(type.name, field.name);
    if (description === undefined) this.#report(field, `undefined field '${field.name}'`);
    if (field.isOptional) valueType = this.#unwrapOptional(field.value, valueType);
    const fieldType = description?.type ?? ERROR;
    if (this.#substitutions.isAssignable(fieldType, valueType)) return;
    const shown = this.#substitutions.substitute(valueType, 'dyn').display;
    const message = `expected type of field '${field.name}' is '${fieldType.display}' but provided type is '${shown}'`;
    this.#report(field, message);
  }

  #comprehension(expression: ComprehensionExpression): CelType {
    const rangeType = this.#substitutions.substitute(this.#check(expression.range));
    const accumulatorType = this.#check(expression.initial);
    const scope = new Map([[expression.accumulator, accumulatorType]]);
    this.#scopes.push(scope, this.#iterationScope(expression, rangeType));
    this.#assertType(expression.condition, BOOL);
    this.#assertType(expression.step, accumulatorType);
    this.#scopes.pop();
    const result = this.#check(expression.result);
    this.#scopes.pop();
    return this.#substitutions.substitute(result);
  }

  #iterationScope(expression: ComprehensionExpression, range: CelType): Map<string, CelType> {
    const types = this.#iterationTypes(expression, range);
    const scope = new Map<string, CelType>();
    if (expression.variable2 === undefined) {
      scope.set(expression.variable, range.kind === 'list' ? types.value : types.key);
    } else {
      scope.set(expression.variable, types.key).set(expression.variable2, types.value);
    }
    return scope;
  }

  #iterationTypes(expression: ComprehensionExpression, range: CelType): { key: CelType; value: CelType } {
    const [first = DYN, second = DYN] = range.parameters;
    switch (range.kind) {
      case 'list':
        return { key: INT, value: first };
      case 'map':
        return { key: first, value: second };
      case 'dyn':
      case 'error':
      case 'parameter':
        this.#substitutions.isAssignable(DYN, range);
        return { key: DYN, value: DYN };
      default:
        this.#report(
          expression.range,
          `expression of type '${range.display}' cannot be range of a comprehension (must be list, map, or dynamic)`,
        );
        return { key: ERROR, value: ERROR };
    }
  }

  #assertType(expression: Expression, expected: CelType): void {
    const actual = this.#check(expression);
    if (this.#substitutions.isAssignable(expected, actual)) return;
    this.#report(expression, `expected type '${expected.display}' but found '${actual.display}'`);
  }
}
