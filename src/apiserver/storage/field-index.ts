import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { Entry } from './entry.ts';
import { fieldValue } from './selection.ts';

/** The entries of a resource by the value of one field. Kept up to date from its first use on. */
export class FieldIndex {
  readonly #definition: Pick<ResourceDefinition, 'selectableFields'>;
  readonly #field: string;
  readonly #entries = new Map<string, Map<string, Entry>>();

  constructor(definition: Pick<ResourceDefinition, 'selectableFields'>, field: string, entries: Iterable<Entry>) {
    this.#definition = definition;
    this.#field = field;
    for (const entry of entries) this.#add(entry);
  }

  /** Entries with this value, by key. */
  get(value: string): Entry[] {
    const found = [...(this.#entries.get(value)?.values() ?? [])];
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  replace(previous: Entry | undefined, next: Entry | undefined): void {
    if (previous !== undefined) this.#remove(previous);
    if (next !== undefined) this.#add(next);
  }

  #add(entry: Entry): void {
    const value = fieldValue(this.#definition, entry.object, this.#field);
    const bucket = this.#entries.get(value);
    if (bucket === undefined) this.#entries.set(value, new Map([[entry.key, entry]]));
    else bucket.set(entry.key, entry);
  }

  #remove(entry: Entry): void {
    const value = fieldValue(this.#definition, entry.object, this.#field);
    const bucket = this.#entries.get(value);
    if (bucket === undefined) return;
    bucket.delete(entry.key);
    if (bucket.size === 0) this.#entries.delete(value);
  }
}
