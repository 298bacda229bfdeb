/** Texts of definitions and fields, by definition name; large, so they are loaded at the first call. */
export async function builtinDescriptions(): Promise<unknown> {
  const { default: descriptions } = await import('../generated/descriptions.json', { with: { type: 'json' } });
  return descriptions;
}
