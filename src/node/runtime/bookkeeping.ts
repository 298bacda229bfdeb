import type { Random } from '#machinery/random/random.ts';
import type { RuntimeStatus } from './contract.ts';

/** What a runtime says that has nothing to wait for: no daemon, no network plugin. */
export const ALWAYS_READY: RuntimeStatus = {
  conditions: ['RuntimeReady', 'NetworkReady'].map((type) => ({ type, status: true, reason: '', message: '' })),
};

/** An id of a sandbox or container as container runtimes make them: 64 hexadecimal digits. */
export function newRuntimeId(random: Random): string {
  return Buffer.from(random.bytes(32)).toString('hex');
}

/** Whether `labels` has all that a listing asks for. */
export function hasLabels(labels: Readonly<Record<string, string>>, wanted: Record<string, string> = {}): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}
