/** The same object as rules read it that trust nothing: every field may be missing, whatever its type says. */
export function partly<T extends object>(value: T | undefined): Partial<T> {
  return value ?? {};
}
