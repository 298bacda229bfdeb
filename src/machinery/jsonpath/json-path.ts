import { encodeValue } from '../codec/json.ts';
import { compareFilter } from './compare.ts';
import { JsonPathError, type PathList, type PathNode, type SliceBounds } from './nodes.ts';
import { parseTemplate } from './parse.ts';

export interface JsonPathOptions {
  /** A field that is not there gives no result instead of an error. */
  readonly allowMissingKeys?: boolean;
}

/** Values that one step may gather; `..` on a deep document is the way to reach it. */
const RESULTS_MAX = 1_000_000;

/**
 * A JSONPath template as `kubectl -o jsonpath`, printer columns and selectable fields use it: text with expressions in
 * braces, of the grammar of https://kubernetes.io/docs/reference/kubectl/jsonpath/.
 */
export class JsonPath {
  readonly #nodes: PathList;
  readonly #allowsMissing: boolean;

  /** Throws `JsonPathError` for a template that cannot be read. */
  constructor(template: string, options: JsonPathOptions = {}) {
    this.#nodes = parseTemplate(template);
    this.#allowsMissing = options.allowMissingKeys ?? false;
  }

  /** The values of each expression, in order; those in a range once for each turn. */
  find(data: unknown): unknown[][] {
    const results: unknown[][] = [];
    this.#findFrom(0, data, results);
    return results;
  }

  /** The template with its expressions filled in; several values of one are separated by spaces. */
  print(data: unknown): string {
    return this.find(data)
      .map((values) => values.map(printJsonValue).join(' '))
      .join('');
  }

  /** Evaluates from a node to the end of its range (or of all), and gives the index of the node after that. */
  #findFrom(start: number, data: unknown, results: unknown[][] | undefined): number {
    let index = start;
    while (index < this.#nodes.length) {
      const node = this.#nodes[index];
      index += 1;
      if (node === undefined) continue;
      if (node.type === 'end') return index;
      const isRange = node.type === 'list' && node.nodes[0]?.type === 'range';
      if (!isRange) {
        if (results !== undefined) results.push(this.#step([data], node));
        continue;
      }
      const turns = results === undefined ? [] : this.#walk([data], node.nodes.slice(1));
      const body = index;
      // Without a turn the body is passed over to find its end.
      if (turns.length === 0) index = this.#findFrom(body, undefined, undefined);
      for (const turn of turns) index = this.#findFrom(body, turn, results);
    }
    return index;
  }

  #walk(input: readonly unknown[], nodes: PathList): unknown[] {
    let values: unknown[] = [...input];
    for (const node of nodes) values = this.#step(values, node);
    return values;
  }

  #step(input: readonly unknown[], node: PathNode): unknown[] {
    switch (node.type) {
      case 'text':
        return [node.text];
      case 'literal':
        return [node.value];
      case 'list':
        return this.#walk(input, node.nodes);
      case 'field':
        return this.#field(input, node.name);
      case 'wildcard':
        return input.flatMap(childrenOf);
      case 'recursive':
        return descendants(input);
      case 'slice':
        return input.flatMap((value) => (value === null || value === undefined ? [] : sliceOf(value, node.bounds)));
      case 'union':
        return node.branches.flatMap((branch) => this.#walk(input, branch));
      case 'filter':
        return this.#filter(input, node);
      case 'range':
      case 'end':
        return [...input];
      default:
        return node satisfies never;
    }
  }

  #field(input: readonly unknown[], name: string): unknown[] {
    const found: unknown[] = [];
    for (const value of input) {
      if (name === '') found.push(value);
      else if (isObject(value) && Object.hasOwn(value, name) && value[name] !== undefined) found.push(value[name]);
    }
    if (found.length === 0 && !this.#allowsMissing) throw new JsonPathError(`${name} is not found`);
    return found;
  }

  #filter(input: readonly unknown[], node: Extract<PathNode, { type: 'filter' }>): unknown[] {
    const found: unknown[] = [];
    for (const value of input) {
      if (!Array.isArray(value)) {
        throw new JsonPathError(`${printJsonValue(value)} is not array or slice and cannot be filtered`);
      }
      for (const item of value) if (this.#passes(item, node)) found.push(item);
    }
    return found;
  }

  #passes(item: unknown, { left, operator, right }: Extract<PathNode, { type: 'filter' }>): boolean {
    let lefts: unknown[];
    try {
      lefts = this.#walk([item], left);
    } catch (error) {
      if (operator === 'exists' && error instanceof JsonPathError) return false;
      throw error;
    }
    if (operator === 'exists') return lefts.length > 0;
    const rights = this.#walk([item], right);
    if (lefts.length === 0 || rights.length === 0) return false;
    if (lefts.length > 1 || rights.length > 1) throw new JsonPathError('can only compare one element at a time');
    return compareFilter(operator, lefts[0], rights[0]);
  }
}

/** A value as templates print it: texts plain, objects and lists as JSON. */
export function printJsonValue(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return '<nil>';
  return encodeValue(value);
}

function sliceOf(value: unknown, bounds: SliceBounds): unknown[] {
  if (!Array.isArray(value)) throw new JsonPathError(`${printJsonValue(value)} is not array or slice`);
  const { length } = value;
  let from = bounds.from ?? 0;
  if (from < 0) from += length;
  let to = bounds.to ?? length;
  // The end of an index that counts from the end: -1 ends at the very end.
  if (to < 0 || (to === 0 && bounds.isIndex)) to += length;
  if (from === to) return [];
  if (from >= length || from < 0) throw outOfBounds(from, length);
  if (to > length || to < 0) throw outOfBounds(to - 1, length);
  if (from > to) throw new JsonPathError(`starting index ${from} is greater than ending index ${to}`);
  const step = bounds.step ?? 1;
  if (step <= 0) throw new JsonPathError('step must be > 0');
  return value.slice(from, to).filter((_, index) => index % step === 0);
}

function outOfBounds(index: number, length: number): JsonPathError {
  return new JsonPathError(`array index out of bounds: index ${index}, length ${length}`);
}

/** Everything that has parts, from the outside in. */
function descendants(input: readonly unknown[]): unknown[] {
  const found: unknown[] = [];
  const pending = input.toReversed();
  while (pending.length > 0) {
    const value = pending.pop();
    const children = childrenOf(value);
    if (children.length === 0) continue;
    found.push(value);
    if (found.length > RESULTS_MAX) throw new JsonPathError('too many results');
    for (let index = children.length - 1; index >= 0; index -= 1) pending.push(children[index]);
  }
  return found;
}

function childrenOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value) : [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
