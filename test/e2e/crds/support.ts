import { afterAll, beforeAll, expect } from 'vitest';
import { join } from 'node:path';
import { startCluster, type TestCluster } from '../support/cluster.ts';
import type { RunResult } from '../support/run.ts';

export const FIXTURES = join(import.meta.dirname, '..', '..', 'fixtures', 'crds');

/** What the tests do with kubectl; one cluster a file. */
export interface Kubectl {
  /** Must end well and say nothing but `warnings` on standard error. Returns standard output. */
  readonly done: (args: readonly string[], input?: string, warnings?: string) => Promise<string>;
  /** Must fail; returns standard error. */
  readonly refused: (args: readonly string[], input?: string) => Promise<string>;
  readonly run: (args: readonly string[], input?: string) => Promise<RunResult>;
  readonly cluster: TestCluster;
}

/** A cluster for the tests of one file. */
export function ownCluster(): Kubectl {
  let cluster: TestCluster | undefined;
  beforeAll(async () => {
    cluster = await startCluster({ runtime: 'simulated' });
  });
  afterAll(async () => cluster?.[Symbol.asyncDispose]());
  const started = (): TestCluster => {
    if (cluster === undefined) throw new Error('the cluster has not started');
    return cluster;
  };
  const run: Kubectl['run'] = (args, input = '') => started().kubectl.try(args, { input });
  return {
    run,
    get cluster() {
      return started();
    },
    done: async (args, input, warnings = '') => {
      const { code, stdout, stderr } = await run(args, input);
      expect([code, stderr.trim()], args.join(' ')).toEqual([0, warnings]);
      return stdout;
    },
    refused: async (args, input) => {
      const { code, stdout, stderr } = await run(args, input);
      expect(code, stdout).toBe(1);
      return stderr;
    },
  };
}

/** An object as kubectl reads it: JSON is YAML. */
export function manifest(apiVersion: string, kind: string, name: string, fields: object): string {
  return `${JSON.stringify({ apiVersion, kind, metadata: { name }, ...fields })}\n---\n`;
}
