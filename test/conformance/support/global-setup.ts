import type { TestProject } from 'vitest/node';
import { startOwnCluster } from './own-cluster.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    kubeconfig: string;
  }
}

/** The cluster under test: the one that `TIPHYS_CONFORMANCE_KUBECONFIG` names, else one of our own, gone afterwards. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['TIPHYS_CONFORMANCE_KUBECONFIG'];
  if (given !== undefined && given !== '') {
    project.provide('kubeconfig', given);
    return () => Promise.resolve();
  }
  const { kubeconfig, remove } = await startOwnCluster();
  project.provide('kubeconfig', kubeconfig);
  return remove;
}
