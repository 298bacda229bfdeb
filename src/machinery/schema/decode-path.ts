type StepType = 'field' | 'key' | 'index';

/** Where a decoder stands. Steps are only turned into text when there is something to report. */
export class DecodePath {
  readonly #steps: (string | number)[] = [];
  readonly #types: StepType[] = [];
  #depth = 0;

  enterField(name: string): void {
    this.#enter(name, 'field');
  }

  enterKey(key: string): void {
    this.#enter(key, 'key');
  }

  enterIndex(index: number): void {
    this.#enter(index, 'index');
  }

  leave(): void {
    this.#depth -= 1;
  }

  /** `spec.containers[0].image` */
  toString(): string {
    let text = '';
    for (let level = 0; level < this.#depth; level += 1) {
      const step = this.#steps[level];
      if (this.#types[level] === 'index') text += `[${step}]`;
      else text += text === '' ? step : `.${step}`;
    }
    return text;
  }

  /** Fields of structs only, as Go's decoder names a place: `spec.containers.image`. */
  fieldText(): string {
    const names: (string | number)[] = [];
    for (let level = 0; level < this.#depth; level += 1) {
      if (this.#types[level] === 'field') names.push(this.#steps[level] ?? '');
    }
    return names.join('.');
  }

  #enter(step: string | number, type: StepType): void {
    this.#steps[this.#depth] = step;
    this.#types[this.#depth] = type;
    this.#depth += 1;
  }
}
