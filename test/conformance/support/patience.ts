/**
 * How long to wait for what should come, in milliseconds. Where a behaviour is known to be broken, nobody needs to wait
 * as long as on a busy machine.
 */
export function patienceMs(usualMs: number): number {
  const given = Number(process.env['TIPHYS_CONFORMANCE_PATIENCE_MS'] ?? '');
  return given > 0 ? Math.min(given, usualMs) : usualMs;
}
