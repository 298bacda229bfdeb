import { type CelType, DYN, withParameters } from './type.ts';

/**
 * What type parameters stand for, found while checking. Assignments that turn out not to fit are taken back by
 * `isAssignable`, so a failed attempt leaves no trace.
 */
export class Substitutions {
  readonly #bindings = new Map<string, CelType>();
  /** Former bindings, to be restored when an attempt fails. */
  readonly #trail: { name: string; previous: CelType | undefined }[] = [];

  /** Whether a value of `from` may stand where `to` is wanted; binds type parameters if so. */
  isAssignable(from: CelType, to: CelType): boolean {
    return this.isListAssignable([from], [to]);
  }

  isListAssignable(from: readonly CelType[], to: readonly CelType[]): boolean {
    const mark = this.#trail.length;
    if (this.#listFits(from, to)) return true;
    while (this.#trail.length > mark) {
      const entry = this.#trail.pop();
      if (entry === undefined) break;
      if (entry.previous === undefined) this.#bindings.delete(entry.name);
      else this.#bindings.set(entry.name, entry.previous);
    }
    return false;
  }

  /** The type with its bound parameters filled in; unbound ones become `dyn` where that is asked. */
  substitute(type: CelType, unbound: 'keep' | 'dyn' = 'keep'): CelType {
    if (type.kind === 'parameter') {
      const bound = this.#bindings.get(type.name);
      if (bound !== undefined) return this.substitute(bound, unbound);
      return unbound === 'dyn' ? DYN : type;
    }
    if (type.parameters.length === 0) return type;
    let isChanged = false;
    const parameters = type.parameters.map((parameter) => {
      const substituted = this.substitute(parameter, unbound);
      isChanged ||= substituted !== parameter;
      return substituted;
    });
    return isChanged ? withParameters(type, parameters) : type;
  }

  #bind(name: string, type: CelType): void {
    this.#trail.push({ name, previous: this.#bindings.get(name) });
    this.#bindings.set(name, type);
  }

  #listFits(from: readonly CelType[], to: readonly CelType[]): boolean {
    if (from.length !== to.length) return false;
    // Both lists have the same length.
    return from.every((type, index) => this.#fits(type, to[index] as CelType));
  }

  #fits(from: CelType, to: CelType): boolean {
    if (to.kind === 'parameter') {
      const { valid, hasBinding } = this.#tryBinding(from, to);
      if (valid) return true;
      if (hasBinding) return false;
    }
    if (from.kind === 'parameter') return this.#tryBinding(to, from).valid;
    if (isWild(from) || isWild(to)) return true;
    if (from.kind === 'null') return isNullable(to);
    if (to.kind === 'null') return isNullable(from);
    switch (from.kind) {
      case 'type':
        return to.kind === 'type';
      case 'opaque':
      case 'list':
      case 'map':
        return from.kind === to.kind && from.name === to.name && this.#listFits(from.parameters, to.parameters);
      default:
        return from.kind === to.kind && from.name === to.name;
    }
  }

  /** Tries to let a parameter stand for a type. */
  #tryBinding(type: CelType, parameter: CelType): { valid: boolean; hasBinding: boolean } {
    if (type.kind === 'parameter' && type.name === parameter.name) return { valid: true, hasBinding: true };
    const bound = this.#bindings.get(parameter.name);
    if (bound !== undefined) {
      if (bound.kind === type.kind && bound.display === type.display) return { valid: true, hasBinding: true };
      if (!this.#fits(type, bound)) return { valid: false, hasBinding: true };
      const general = mostGeneral(type, bound);
      if (!this.#occursIn(parameter, general)) this.#bind(parameter.name, general);
      return { valid: true, hasBinding: true };
    }
    if (this.#occursIn(parameter, type)) return { valid: false, hasBinding: false };
    this.#bind(parameter.name, type);
    return { valid: true, hasBinding: false };
  }

  #occursIn(parameter: CelType, type: CelType): boolean {
    if (type.kind === 'parameter') {
      if (type.name === parameter.name) return true;
      const bound = this.#bindings.get(type.name);
      return bound !== undefined && this.#occursIn(parameter, bound);
    }
    return type.parameters.some((inner) => this.#occursIn(parameter, inner));
  }
}

/** Of two types that fit together, the one that says less. */
export function mostGeneral(left: CelType, right: CelType): CelType {
  return isLessSpecific(left, right) ? left : right;
}

function isLessSpecific(left: CelType, right: CelType): boolean {
  if (left.kind === 'dyn' || left.kind === 'parameter') return true;
  if (right.kind === 'dyn' || right.kind === 'parameter' || left.kind !== right.kind) return false;
  if (left.kind === 'type') return true;
  if (left.kind !== 'opaque' && left.kind !== 'list' && left.kind !== 'map') return left.name === right.name;
  if (left.name !== right.name || left.parameters.length !== right.parameters.length) return false;
  // Both have the same number of parameters.
  return left.parameters.every((parameter, index) => isLessSpecific(parameter, right.parameters[index] as CelType));
}

function isWild(type: CelType): boolean {
  return type.kind === 'dyn' || type.kind === 'error';
}

function isNullable(type: CelType): boolean {
  const { kind } = type;
  if (type.isNullable || kind === 'null') return true;
  return kind === 'opaque' || kind === 'struct' || kind === 'duration' || kind === 'timestamp';
}
