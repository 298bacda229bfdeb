/** What proxy and DNS read of a cache; `Informer` satisfies it. */
export interface ProxySource<T> {
  get(key: string): T | undefined;
  list(): readonly T[];
  byIndex(index: string, value: string): readonly T[];
  addIndex(name: string, keysOf: (object: T) => string[]): void;
  addHandler(handler: {
    onAdd?: (object: T) => void;
    onUpdate?: (previous: T, next: T) => void;
    onDelete?: (object: T) => void;
  }): void;
  readonly hasSynced: boolean;
}
