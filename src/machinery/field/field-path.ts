/** A path into an object as validation messages print it: `spec.containers[0].ports[1].name`, `data[key]`. */
export class FieldPath {
  readonly #parent: FieldPath | undefined;
  readonly #text: string;

  constructor(text = '', parent?: FieldPath) {
    this.#text = text;
    this.#parent = parent;
  }

  child(name: string, ...more: string[]): FieldPath {
    const child = new FieldPath(this.#isRoot ? name : `.${name}`, this);
    return more.length === 0 ? child : new FieldPath(`.${more.join('.')}`, child);
  }

  index(position: number): FieldPath {
    return new FieldPath(`[${position}]`, this);
  }

  key(key: string): FieldPath {
    return new FieldPath(`[${key}]`, this);
  }

  toString(): string {
    const text = this.#whole();
    return text === '' ? '<nil>' : text;
  }

  get #isRoot(): boolean {
    return this.#text === '' && (this.#parent === undefined || this.#parent.#isRoot);
  }

  #whole(): string {
    return this.#parent === undefined ? this.#text : this.#parent.#whole() + this.#text;
  }
}
