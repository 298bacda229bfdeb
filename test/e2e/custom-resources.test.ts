import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './support/cluster.ts';
import type { RunResult } from './support/run.ts';

const DEFINITION = String.raw`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Image, type: string, jsonPath: .spec.image, priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What to run and when
            required: [cronSpec]
            x-kubernetes-validations:
            - {rule: "!has(self.replicas) || self.replicas != 7", message: seven is taken}
            properties:
              cronSpec: {type: string, description: The schedule}
              image: {type: string, default: busybox}
              replicas: {type: integer, maximum: 10}
          status:
            type: object
            properties: {replicas: {type: integer}}
`;

const cronTab = (name: string, spec: string): string =>
  `apiVersion: stable.example.com/v1\nkind: CronTab\nmetadata: {name: ${name}}\nspec: ${spec}\n`;

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster({ runtime: 'simulated' });
  await done(['apply', '-f', '-'], DEFINITION);
  await done(['wait', '--for=condition=Established', 'crd/crontabs.stable.example.com', '--timeout=10s']);
});

afterAll(() => cluster[Symbol.asyncDispose]());

const kubectl = (args: readonly string[], input = ''): Promise<RunResult> => cluster.kubectl.try(args, { input });

async function done(args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await kubectl(args, input);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

async function refused(args: readonly string[], input = ''): Promise<string> {
  const { code, stderr } = await kubectl(args, input);
  expect(code).toBe(1);
  return stderr;
}

describe('kubectl and custom resources', () => {
  test('apply, get with columns, short names and categories', async () => {
    await done(['apply', '-f', '-'], cronTab('one', '{cronSpec: "* * * * *", replicas: 3}'));
    const table = await done(['get', 'ct', 'one']);
    expect(table.split('\n')[0]?.split(/\s{2,}/)).toEqual(['NAME', 'SPEC', 'REPLICAS', 'AGE']);
    expect(table).toMatch(/^one\s+\* \* \* \* \*\s+3\s+\d+s$/m);
    expect(await done(['get', 'ct', 'one', '-o', 'wide'])).toContain('busybox');
    expect(await done(['get', 'all'])).toContain('crontab.stable.example.com/one');
    await done(['apply', '--server-side', '--force-conflicts', '-f', '-'], cronTab('one', '{cronSpec: "1 * * * *"}'));
    expect(await done(['get', 'ct', 'one', '-o', 'jsonpath={.spec.cronSpec}'])).toBe('1 * * * *');
  });

  test('explain, and validation in words that people know', async () => {
    expect(await done(['explain', 'crontab.spec.cronSpec'])).toContain('The schedule');
    expect(await refused(['create', '-f', '-'], cronTab('bad', '{cronSpec: x, replicas: 11}'))).toContain(
      'The CronTab "bad" is invalid: spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10',
    );
    expect(await refused(['create', '-f', '-'], cronTab('bad', '{cronSpec: x, replicas: 7}'))).toContain(
      'seven is taken',
    );
    expect(await refused(['create', '-f', '-'], cronTab('bad', '{cronSpec: x, other: 1}'))).toContain(
      'unknown field "spec.other"',
    );
    expect(await refused(['patch', 'ct', 'one', '--type=strategic', '-p', '{"spec":{}}'])).toContain(
      'application/strategic-merge-patch+json is not supported by stable.example.com/v1, Kind=CronTab',
    );
  });

  test('scale and the status subresource', async () => {
    await done(['scale', 'crontab/one', '--replicas=5']);
    expect(await done(['get', 'ct', 'one', '-o', 'jsonpath={.spec.replicas}'])).toBe('5');
    await done(['patch', 'ct', 'one', '--subresource=status', '--type=merge', '-p', '{"status":{"replicas":5}}']);
    expect(await done(['get', 'ct', 'one', '-o', 'jsonpath={.status.replicas}'])).toBe('5');
  });

  test('a restart of the server, and removal with all objects', async () => {
    expect((await cluster.tiphys('down')).code).toBe(0);
    await cluster.up();
    expect(await done(['get', 'ct', 'one', '-o', 'jsonpath={.spec.image}'])).toBe('busybox');
    await done(['delete', 'crd', 'crontabs.stable.example.com', '--timeout=20s']);
    // kubectl remembers the kind; the server does not.
    expect(await refused(['get', 'ct'])).toContain('the server could not find the requested resource');
  });
});
