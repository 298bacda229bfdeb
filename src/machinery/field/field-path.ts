/** A path into an object as validation messages print it: `spec.containers[0].ports[1].name`, `data[key]`. */
export class FieldPath {
  readonly #text: string;

  constructor(text = '') {
    this.#text = text;
  }

  child(...names: string[]): FieldPath {
    const joined = names.join('.');
    return new FieldPath(this.#text === '' ? joined : `${this.#text}.${joined}`);
  }

  index(position: number): FieldPath {
    return new FieldPath(`${this.#text}[${position}]`);
  }

  key(key: string): FieldPath {
    return new FieldPath(`${this.#text}[${key}]`);
  }

  toString(): string {
    return this.#text === '' ? '<nil>' : this.#text;
  }
}
