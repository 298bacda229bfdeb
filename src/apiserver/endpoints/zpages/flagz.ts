import type { Handler } from '../../pipeline/types.ts';
import { serveZPage } from './zpage.ts';

/** `/flagz`: the settings this server runs with, under the names of upstream's flags. */
export function flagzHandler(flags: Readonly<Record<string, string>>): Handler {
  const sorted = Object.fromEntries(Object.entries(flags).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return ({ request }) =>
    Promise.resolve(
      serveZPage(
        {
          component: 'kube-apiserver',
          kind: 'Flagz',
          text: () =>
            `\n${Object.entries(sorted)
              .map(([name, value]) => `${name}=${value}\n`)
              .join('')}`,
          fields: () => ({ flags: sorted }),
        },
        request,
      ),
    );
}
