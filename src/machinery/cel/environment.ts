import { type CallCosts, standardCosts } from './cost/actual.ts';
import { type CelIssue, CelError } from './errors.ts';
import { checkExpression } from './checker/checker.ts';
import type { CheckedExpression } from './checker/checked.ts';
import { combineProviders, type TypeProvider } from './checker/type-provider.ts';
import { type CostEstimate, estimateCost, type FunctionCostEstimator, type SizeEstimator } from './cost/estimate.ts';
import type { FunctionDeclaration } from './library/declaration.ts';
import { standardFunctions } from './library/standard.ts';
import { CelProgram } from './program.ts';
import { Compiler } from './runtime/compiler.ts';
import type { Macro } from './syntax/node-factory.ts';
import { STANDARD_MACROS } from './syntax/macros.ts';
import { parseExpression } from './syntax/parser.ts';
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listType,
  mapType,
  NULL,
  STRING,
  TIMESTAMP,
  typeType,
  UINT,
} from './types/type.ts';
import { validateLiterals } from './checker/literal-validators.ts';

/** Functions, macros and types that belong together; environments are built out of these. */
export interface CelLibrary {
  readonly functions?: readonly FunctionDeclaration[];
  readonly macros?: ReadonlyMap<string, Macro>;
  /** Types whose names are values: `type(x) == net.IP`. */
  readonly namedTypes?: readonly CelType[];
}

export interface EnvironmentExtension extends CelLibrary {
  readonly variables?: Readonly<Record<string, CelType>>;
  /** Knows the object types of the variables. */
  readonly provider?: TypeProvider;
  readonly libraries?: readonly CelLibrary[];
}

export interface EnvironmentSettings {
  /** The namespace in which names are looked up first. */
  readonly container: string;
  readonly optionalSyntax: boolean;
  /** Constants are computed when compiling, and cost nothing; then `int('x')` does not compile. */
  readonly foldConstants: boolean;
  /**
   * Literal durations, timestamps, patterns and formats are checked when compiling, and lists and maps that are written
   * out must have elements of one type.
   */
  readonly validateLiterals: boolean;
  readonly costs: CallCosts;
  readonly costEstimator: FunctionCostEstimator;
}

export interface CompileOptions {
  /** The types that the expression may have: exactly one of these, so `dyn` only where it is listed. */
  readonly expectedTypes?: readonly CelType[];
}

export type CompileResult =
  | {
      readonly ok: true;
      readonly program: CelProgram;
      readonly outputType: CelType;
      readonly checked: CheckedExpression;
      /** The least and the most that an evaluation can cost, with what is known about the variables' sizes. */
      cost(sizes?: SizeEstimator): CostEstimate;
    }
  | { readonly ok: false; readonly issues: readonly CelIssue[] };

const DEFAULTS: EnvironmentSettings = {
  container: '',
  optionalSyntax: false,
  foldConstants: false,
  validateLiterals: false,
  costs: standardCosts,
  costEstimator: () => undefined,
};

/** The types that every environment knows by name. */
const STANDARD_TYPES: readonly CelType[] = [
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  INT,
  listType(DYN),
  mapType(DYN, DYN),
  NULL,
  STRING,
  TIMESTAMP,
  typeType(DYN),
  UINT,
];

interface Declarations {
  readonly settings: EnvironmentSettings;
  readonly variables: ReadonlyMap<string, CelType>;
  readonly functions: ReadonlyMap<string, FunctionDeclaration>;
  readonly macros: ReadonlyMap<string, Macro>;
  readonly types: ReadonlyMap<string, CelType>;
  readonly providers: readonly TypeProvider[];
}

/** What an expression may use. Immutable: extending gives another environment. */
export class CelEnvironment {
  readonly #declarations: Declarations;
  readonly #provider: TypeProvider;

  private constructor(declarations: Declarations) {
    this.#declarations = declarations;
    const named: TypeProvider = { findType: (name) => declarations.types.get(name), findField: () => undefined };
    this.#provider = combineProviders([...declarations.providers, named]);
  }

  /** The language alone: no optionals, no extensions, no variables. */
  static standard(settings: Partial<EnvironmentSettings> = {}): CelEnvironment {
    const empty: Declarations = {
      settings: { ...DEFAULTS, ...settings },
      variables: new Map(),
      functions: new Map(),
      macros: new Map(),
      types: new Map(),
      providers: [],
    };
    return new CelEnvironment(empty).extend({
      functions: standardFunctions(),
      macros: STANDARD_MACROS,
      namedTypes: STANDARD_TYPES,
    });
  }

  /** This environment and more. Functions of a known name get further overloads; variables replace known ones. */
  extend(extension: EnvironmentExtension): CelEnvironment {
    const variables = new Map(this.#declarations.variables);
    for (const [name, type] of Object.entries(extension.variables ?? {})) variables.set(name, type);
    const functions = new Map(this.#declarations.functions);
    const macros = new Map(this.#declarations.macros);
    const types = new Map(this.#declarations.types);
    for (const library of [...(extension.libraries ?? []), extension]) {
      for (const declaration of library.functions ?? []) addFunction(functions, declaration);
      for (const [key, macro] of library.macros ?? []) macros.set(key, macro);
      for (const type of library.namedTypes ?? []) types.set(type.name, type);
    }
    const { settings } = this.#declarations;
    const providers = [
      ...(extension.provider === undefined ? [] : [extension.provider]),
      ...this.#declarations.providers,
    ];
    return new CelEnvironment({ settings, variables, functions, macros, types, providers });
  }

  /** The same declarations under other settings. */
  with(settings: Partial<EnvironmentSettings>): CelEnvironment {
    return new CelEnvironment({ ...this.#declarations, settings: { ...this.#declarations.settings, ...settings } });
  }

  /** Parses, checks and compiles. Never throws for a bad source. */
  compile(source: string, options: CompileOptions = {}): CompileResult {
    try {
      return this.#compile(source, options);
    } catch (error) {
      if (error instanceof CelError) return failed('program', error.message);
      // Nested deeper than the stack, within the limits of the grammar all the same.
      if (error instanceof RangeError) return failed('program', 'expression is nested too deeply');
      throw error;
    }
  }

  #compile(source: string, options: CompileOptions): CompileResult {
    const { settings, variables, functions, macros } = this.#declarations;
    const parsed = parseExpression(source, { macros, optionalSyntax: settings.optionalSyntax });
    if (!parsed.ok) return parsed;
    const { container } = settings;
    const scope = { container, variables, functions, provider: this.#provider };
    const result = checkExpression(source, parsed.expression, scope);
    if (!result.ok) return result;
    const { checked } = result;
    const issues = settings.validateLiterals ? validateLiterals(source, checked) : [];
    if (issues.length > 0) return { ok: false, issues };
    const { outputType } = checked;
    const unexpected = unexpectedType(outputType, options.expectedTypes ?? []);
    if (unexpected !== undefined) return failed('output', unexpected);
    const compiler = new Compiler(checked, settings);
    const step = compiler.compile(parsed.expression);
    const { slotCount } = compiler;
    const program = new CelProgram({
      step,
      slotCount,
      variables: compiler.variables,
      variableTypes: variables,
      outputType,
    });
    const cost = (sizes: SizeEstimator = () => undefined): CostEstimate =>
      estimateCost(checked, { sizes, functions: settings.costEstimator });
    return { ok: true, program, outputType, checked, cost };
  }
}

function addFunction(functions: Map<string, FunctionDeclaration>, declaration: FunctionDeclaration): void {
  const known = functions.get(declaration.name);
  if (known === undefined) {
    functions.set(declaration.name, declaration);
    return;
  }
  const ids = new Set(declaration.overloads.map(({ id }) => id));
  const kept = known.overloads.filter(({ id }) => !ids.has(id));
  functions.set(declaration.name, { name: declaration.name, overloads: [...kept, ...declaration.overloads] });
}

function failed(type: CelIssue['type'], message: string): CompileResult {
  return { ok: false, issues: [{ type, message, line: 0, column: 0 }] };
}

function unexpectedType(type: CelType, expected: readonly CelType[]): string | undefined {
  if (expected.length === 0) return undefined;
  if (expected.some(({ display }) => display === type.display)) return undefined;
  const names = expected.map(({ display }) => display);
  const wanted = names.length === 1 ? names[0] : `one of [${names.join(' ')}]`;
  return `must evaluate to ${wanted} but got ${type.display}`;
}
