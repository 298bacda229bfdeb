import { parseQuantity } from '#machinery/quantity/quantity.ts';
import type { PersistentVolumeClaimSpec } from '../../../generated/types.ts';

/** There is no part of a byte: a claim that asks for one gets more. */
export function claimSpecWarnings(spec: PersistentVolumeClaimSpec | undefined, path: string): string[] {
  const warnings: string[] = [];
  for (const side of ['requests', 'limits'] as const) {
    const text = spec?.resources?.[side]?.['storage'];
    if (text === undefined || parseQuantity(text).milliValue() % 1000 === 0) continue;
    const value = JSON.stringify(text);
    warnings.push(`${path}.resources.${side}[storage]: fractional byte value ${value} is invalid, must be an integer`);
  }
  return warnings;
}
