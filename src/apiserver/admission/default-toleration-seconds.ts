import type { Toleration } from '#api/generated/types.ts';
import type { AdmissionPlugin } from '../pipeline/types.ts';
import { podOf } from './plugin.ts';

const NOT_READY = 'node.kubernetes.io/not-ready';
const UNREACHABLE = 'node.kubernetes.io/unreachable';
/** A pod stays on a failed node for five minutes, unless it says otherwise. */
const DEFAULT_SECONDS = 300;

export function defaultTolerationSeconds(): AdmissionPlugin {
  return {
    name: 'DefaultTolerationSeconds',
    mutate: (request) => {
      const spec = podOf(request)?.spec;
      if (spec === undefined || (request.operation !== 'CREATE' && request.operation !== 'UPDATE')) return;
      const given = spec.tolerations ?? [];
      const missing = [NOT_READY, UNREACHABLE].filter((key) => !given.some((one) => toleratesNoExecute(one, key)));
      if (missing.length === 0) return;
      spec.tolerations = [
        ...given,
        ...missing.map((key) => ({
          key,
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: DEFAULT_SECONDS,
        })),
      ];
    },
  };
}

function toleratesNoExecute({ key = '', effect = '' }: Toleration, taint: string): boolean {
  return (key === taint || key === '') && (effect === 'NoExecute' || effect === '');
}
