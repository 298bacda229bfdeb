import { isDns1123Label } from '#machinery/validation/names.ts';

/** A new object whose name will be in names and host names of pods. */
export function hostnameWarnings(
  name: string | undefined,
  current: object | undefined,
  of = 'Pod names and hostnames',
): string[] {
  const messages = current === undefined && name !== undefined ? isDns1123Label(name) : [];
  if (messages.length === 0) return [];
  const what = `metadata.name: this is used in ${of}, which can result in surprising behavior`;
  return [`${what}; a DNS label is recommended: [${messages.join(' ')}]`];
}
