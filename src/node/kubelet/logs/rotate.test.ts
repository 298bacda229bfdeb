import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PODS } from '#api/generated/resources.ts';
import { FakeHost } from '../../host/fake-host.ts';
import { NodeFiles } from '../../host/node-files.ts';
import { startTestNode, testPod } from '../testing/test-node.ts';
import { rotateLogs } from './rotate.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tiphys-rotate-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

test('a log that has grown too large is put aside, older ones are compressed, the oldest go', async () => {
  const host = Object.assign(new FakeHost(), { files: new NodeFiles() });
  const node = await startTestNode();
  await node.api.create(PODS, testPod('web'));
  await node.executor.settle();
  const { services, workers } = node.kubelet;
  if (services === undefined) throw new Error('the kubelet has not started');
  const reopened: string[] = [];
  const runtime = Object.assign(Object.create(services.runtime), {
    reopenContainerLog: async (id: string) => {
      reopened.push(id);
      await writeFile(path, '');
    },
  });
  const logs = join(directory, 'default_web_uid-web/main');
  const path = join(logs, '0.log');
  await host.files.makeDirectory(logs);
  const rotating = { ...services, host, runtime, paths: { ...services.paths, podLogs: directory } };
  // Safe: rotation looks at the workers only.
  const set = { workers } as unknown as Parameters<typeof rotateLogs>[1];
  await writeFile(path, 'small');
  await rotateLogs(rotating, set);
  expect(await readdir(logs)).toEqual(['0.log']);
  for (let round = 1; round <= 6; round += 1) {
    await writeFile(path, `round ${round}\n`);
    await truncate(path, 10 * 1024 * 1024);
    await rotateLogs(rotating, set);
    await node.executor.advance(60_000);
  }
  const names = await readdir(logs);
  expect(names.length).toBe(5);
  expect(names.map((name) => name.endsWith('.gz'))).toEqual([false, true, true, true, false]);
  expect(gunzipSync(await readFile(join(logs, names[1] ?? ''))).toString()).toMatch(/^round 3\n/);
  expect(reopened.length).toBe(6);
  await node.kubelet.stop();
});
