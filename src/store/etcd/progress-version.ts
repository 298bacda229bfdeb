/** The first releases of each line whose answers to progress requests are true; before, one may run ahead of events. */
const FIRST_TRUSTED: readonly (readonly [major: number, minor: number, patch: number])[] = [
  [3, 4, 31],
  [3, 5, 13],
];

/** Whether a member of this version may be asked how far its watches have come (as upstream decides it). */
export function isProgressTrusted(version: string): boolean {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version);
  if (match === null) return false;
  const [major = 0, minor = 0, patch = 0] = match.slice(1).map(Number);
  if (major !== 3) return major > 3;
  const line = FIRST_TRUSTED.find((first) => first[1] === minor);
  return line === undefined ? minor > 5 : patch >= line[2];
}
