import { randomBytes } from 'node:crypto';
import { inject, test } from 'vitest';
import { Api } from './api.ts';
import { eventually } from './eventually.ts';
import { CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS } from './kinds.ts';
import { readKubeconfig } from './kubeconfig.ts';
import { officialTests } from './official-tests.ts';

export interface Scene {
  readonly api: Api;
  /** A namespace of the test's own, with its default service account, deleted afterwards. */
  readonly namespace: string;
  readonly kubeconfig: string;
  /** A name that no other test has. */
  readonly unique: (prefix: string) => string;
  /** Runs after the test, last one first, whatever its outcome. */
  readonly after: (cleanUp: () => Promise<unknown>) => void;
}

// `npm run conformance -- --encoding protobuf`
const ENCODING = process.env['TIPHYS_CONFORMANCE_ENCODING'] === 'protobuf' ? 'protobuf' : 'json';
// Some wait for minutes of the clock on the wall: `npm test` leaves them to `npm run conformance` and `test:long`.
const SKIPS_SLOW = process.env['TIPHYS_CONFORMANCE_SLOW'] === 'skip';
const names = new Set(officialTests().map(({ name }) => name));

/**
 * A test that carries the name of an official one; another name is a mistake and fails at once. It is skipped where this
 * machine `lacks` what it needs.
 */
export function conformanceTest(
  name: string,
  body: (scene: Scene) => Promise<void>,
  { isSlow = false, lacks }: { isSlow?: boolean; lacks?: string | undefined } = {},
): void {
  if (!names.has(name)) throw new Error(`no official test is called ${JSON.stringify(name)}`);
  // The assertions are in the body.
  test.skipIf(isSlow && SKIPS_SLOW)(name, async (context) => {
    if (lacks !== undefined) context.skip(`needs ${lacks}`);
    const kubeconfig = inject('kubeconfig');
    const api = new Api(readKubeconfig(kubeconfig), ENCODING);
    const cleanUps: (() => Promise<unknown>)[] = [];
    const namespace = await createNamespace(api, unique('conformance'));
    cleanUps.push(() => api.of(NAMESPACES).delete(namespace));
    try {
      await body({ api, namespace, kubeconfig, unique, after: (cleanUp) => cleanUps.push(cleanUp) });
    } finally {
      for (const cleanUp of cleanUps.toReversed()) await cleanUp().catch(() => undefined);
      api.close();
    }
  });
}

/** A namespace that is ready for pods. */
export async function createNamespace(api: Api, name: string): Promise<string> {
  const labels = { 'e2e-framework': 'conformance', 'pod-security.kubernetes.io/enforce': 'privileged' };
  await api.of(NAMESPACES).create({ metadata: { name, labels } });
  await eventually('the default service account', () => api.of(SERVICE_ACCOUNTS, name).get('default'));
  await eventually('kube-root-ca.crt', () => api.of(CONFIG_MAPS, name).get('kube-root-ca.crt'));
  return name;
}

export function unique(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}
