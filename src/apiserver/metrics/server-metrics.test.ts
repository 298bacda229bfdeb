import { expect, test } from 'vitest';
import { Metrics } from './server-metrics.ts';

test('metrics carry the event loop delay and the counts of stored objects, as they are when asked for', async () => {
  const delaysMs = [12, 0];
  const metrics = new Metrics({
    storageObjects: () => [
      { resource: 'pods', group: '', count: 3 },
      { resource: 'deployments', group: 'apps', count: 1 },
    ],
    worstDelayMs: () => delaysMs.shift() ?? 0,
  });
  const first = await metrics.registry.metrics();
  expect(first).toContain('tiphys_event_loop_delay_worst_seconds 0.012\n');
  expect(first).toContain('apiserver_storage_objects{resource="pods"} 3\n');
  expect(first).toContain('apiserver_storage_objects{resource="deployments.apps"} 1\n');
  expect(await metrics.registry.metrics()).toContain('tiphys_event_loop_delay_worst_seconds 0\n');
});
