/** Texts of definitions and their fields, by definition name. */
export type Descriptions = Readonly<
  Record<string, { readonly description?: string; readonly fields?: Readonly<Record<string, string>> } | undefined>
>;

/** Descriptions as the generator writes them; nothing where none were given. */
export function descriptionsOf(given: unknown): Descriptions {
  // Safe: the generator writes this form, and a wrong one only loses texts.
  return typeof given === 'object' && given !== null ? (given as Descriptions) : {};
}
