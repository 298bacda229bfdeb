import type { CelEnvironment, CompileResult } from '#machinery/cel/environment.ts';
import { compilationErrorText } from '#machinery/cel/errors.ts';
import { kubernetesEnvironment } from '#machinery/cel/kubernetes/environment.ts';
import { JSON_PATCHES, JSON_PATCH_TYPE, OBJECT_TYPE, OBJECT_TYPES } from '#machinery/cel/kubernetes/object-types.ts';
import { AUTHORIZER, RESOURCE_CHECK } from '#machinery/cel/kubernetes/types.ts';
import type { TypeProvider } from '#machinery/cel/checker/type-provider.ts';
import { BOOL, type CelType, DYN, listType, mapType, NULL, STRING, structType } from '#machinery/cel/types/type.ts';
import { invalidValue } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { FieldErrors } from '../../validation/basics.ts';

/** What an expression of a policy must give. */
export const EXPECTED = {
  condition: [BOOL],
  message: [STRING],
  annotation: [STRING, NULL],
  variable: undefined,
  applyConfiguration: [OBJECT_TYPE],
  jsonPatch: [listType(JSON_PATCH_TYPE)],
} as const satisfies Record<string, readonly CelType[] | undefined>;

const VARIABLES = 'kubernetes.variables';
const REQUEST = 'kubernetes.AdmissionRequest';
const KIND = 'kubernetes.GroupVersionKind';
const RESOURCE = 'kubernetes.GroupVersionResource';
const USER = 'kubernetes.UserInfo';
const versioned = { group: STRING, version: STRING };
/** What expressions see of the request. */
const REQUEST_FIELDS: Readonly<Record<string, Readonly<Record<string, CelType>>>> = {
  [REQUEST]: {
    kind: structType(KIND),
    resource: structType(RESOURCE),
    subResource: STRING,
    requestKind: structType(KIND),
    requestResource: structType(RESOURCE),
    requestSubResource: STRING,
    name: STRING,
    namespace: STRING,
    operation: STRING,
    userInfo: structType(USER),
    dryRun: BOOL,
    options: DYN,
  },
  [KIND]: { ...versioned, kind: STRING },
  [RESOURCE]: { ...versioned, resource: STRING },
  [USER]: { username: STRING, uid: STRING, groups: listType(STRING), extra: mapType(STRING, listType(STRING)) },
};

/** Compiles the expressions of one policy, or of one webhook's conditions, in the order in which they can see each other. */
export class PolicyExpressions {
  readonly #environment: CelEnvironment;
  /** Of expressions that make messages: what a user may do is no part of them. */
  readonly #messageEnvironment: CelEnvironment;
  readonly #variables = new Map<string, CelType>();

  constructor({
    hasParams,
    hasVariables,
    makesObjects = false,
  }: {
    hasParams: boolean;
    hasVariables: boolean;
    makesObjects?: boolean;
  }) {
    const variables = {
      object: DYN,
      oldObject: DYN,
      namespaceObject: DYN,
      request: structType(REQUEST),
      ...(hasParams && { params: DYN }),
      ...(hasVariables && { variables: structType(VARIABLES) }),
    };
    const provider = this.#provider(makesObjects);
    const libraries = makesObjects ? [JSON_PATCHES] : [];
    this.#messageEnvironment = kubernetesEnvironment().extend({ variables, provider, libraries });
    const authorizers = { authorizer: AUTHORIZER, 'authorizer.requestResource': RESOURCE_CHECK };
    this.#environment = kubernetesEnvironment().extend({
      variables: { ...variables, ...authorizers },
      provider,
      libraries,
    });
  }

  /** Appends what is wrong with the expression; an empty one is its caller's to refuse. */
  check(
    expression: string,
    path: FieldPath,
    { expected, errors }: { expected: readonly CelType[] | undefined; errors: FieldErrors },
  ): void {
    if (expression.trim() === '') return;
    const result = this.compile(expression, expected);
    if (!result.ok) errors.push(invalidValue(path, expression, compilationErrorText(result.issues, expression)));
  }

  /** Makes a variable known to the expressions after it. */
  declare(name: string, expression: string): void {
    const result = this.compile(expression, undefined);
    this.#variables.set(name, result.ok ? result.outputType : DYN);
  }

  /** The expression as a program, with what has been declared so far. */
  compile(expression: string, expected: readonly CelType[] | undefined): CompileResult {
    const environment = expected === EXPECTED.message ? this.#messageEnvironment : this.#environment;
    return environment.compile(expression, expected === undefined ? {} : { expectedTypes: expected });
  }

  #provider(makesObjects: boolean): TypeProvider {
    const isOwn = (name: string): boolean => name === VARIABLES || Object.hasOwn(REQUEST_FIELDS, name);
    return {
      findType: (name) => (isOwn(name) ? structType(name) : makesObjects ? OBJECT_TYPES.findType(name) : undefined),
      findField: (typeName, field) => {
        if (!isOwn(typeName)) return makesObjects ? OBJECT_TYPES.findField(typeName, field) : undefined;
        const type = typeName === VARIABLES ? this.#variables.get(field) : ownField(typeName, field);
        return type === undefined ? undefined : { type };
      },
      construct: (typeName, fields) => OBJECT_TYPES.construct?.(typeName, fields),
    };
  }
}

function ownField(typeName: string, field: string): CelType | undefined {
  const fields = REQUEST_FIELDS[typeName] ?? {};
  return Object.hasOwn(fields, field) ? fields[field] : undefined;
}
