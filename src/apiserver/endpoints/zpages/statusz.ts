import type { Clock } from '#machinery/clock/clock.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import type { Handler } from '../../pipeline/types.ts';
import { VERSION } from '../version.ts';
import { serveZPage } from './zpage.ts';

/** `/statusz`: since when the server runs, in which version, and what else there is to look at. */
export function statuszHandler({ clock, paths }: { clock: Clock; paths: readonly string[] }): Handler {
  const startedMs = clock.now();
  const shown = paths
    .filter((path) => /^\/(healthz|livez|metrics|readyz|statusz|flagz|version)$/.test(path))
    .toSorted();
  const emulation = `${VERSION.emulationMajor}.${VERSION.emulationMinor}`;
  const minimum = `${VERSION.minCompatibilityMajor}.${VERSION.minCompatibilityMinor}`;
  const binary = VERSION.gitVersion.replace(/^v/, '');
  const uptimeSeconds = () => Math.max(0, Math.floor((clock.now() - startedMs) / 1000));
  return ({ request }) =>
    Promise.resolve(
      serveZPage(
        {
          component: 'kube-apiserver',
          kind: 'Statusz',
          text: () =>
            [
              '',
              `Started: ${formatTime(startedMs)}`,
              `Up: ${uptimeText(uptimeSeconds())}`,
              `Go version: none (${VERSION.compiler} ${process.version})`,
              `Binary version: ${binary}`,
              `Emulation version: ${emulation}`,
              `Minimum compatibility version: ${minimum}`,
              `Paths: ${shown.join(' ')}`,
              '',
            ].join('\n'),
          fields: (version) => ({
            startTime: formatTime(startedMs),
            uptimeSeconds: uptimeSeconds(),
            goVersion: '',
            binaryVersion: binary,
            emulationVersion: emulation,
            ...(version === 'v1alpha1' ? {} : { minimumCompatibilityVersion: minimum }),
            paths: shown,
          }),
        },
        request,
      ),
    );
}

function uptimeText(seconds: number): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${Math.floor(seconds / 3600)} hr ${two(Math.floor(seconds / 60) % 60)} min ${two(seconds % 60)} sec`;
}
