import { afterEach, describe, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './support/cluster.ts';
import { eventually } from './support/eventually.ts';
import { canRunContainers, whyNoContainers } from './support/requirements.ts';

// Tolerations of a few seconds instead of five minutes: what is tested is that pods move, not how long upstream waits.
const MANIFEST = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: spread }
spec:
  replicas: 10
  selector: { matchLabels: { app: spread } }
  template:
    metadata: { labels: { app: spread } }
    spec:
      tolerations:
        - { key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1 }
        - { key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 1 }
      containers:
        - name: main
          image: localhost/busybox:1
          command: [sleep, "3600"]
`;

describe.skipIf(!canRunContainers)(`three real nodes with containerd${whyNoContainers}`, () => {
  let cluster: TestCluster | undefined;

  afterEach(async () => {
    await cluster?.[Symbol.asyncDispose]();
    cluster = undefined;
  });

  test('ten replicas run again elsewhere after one agent falls silent', async () => {
    cluster = await startCluster({ runtime: 'containerd', nodes: 3 });
    const { kubectl } = cluster;
    const applied = await kubectl.try(['apply', '-f', '-'], { input: MANIFEST });
    expect(applied.code, applied.stderr).toBe(0);
    await kubectl('rollout', 'status', 'deployment/spread', '--timeout=120s');
    const nodes = new Set(await nodesOfRunning(cluster));
    expect(nodes).toEqual(new Set(['node-1', 'node-2', 'node-3']));
    // Frozen and not killed: a killed agent is started again within a second.
    const agent = cluster.state().nodes.find((node) => node.name === 'node-3')?.agent?.pid ?? 0;
    process.kill(agent, 'SIGSTOP');
    const current = cluster;
    await eventually(
      'ten running pods on two nodes',
      () => nodesOfRunning(current),
      (names) => names.length === 10 && !names.includes('node-3'),
      { timeoutMs: 150_000, everyMs: 1_000 },
    );
    expect(await kubectl('get', 'node', 'node-3')).toContain('NotReady');
    process.kill(agent, 'SIGCONT');
    await kubectl('wait', '--for=condition=Ready', 'node/node-3', '--timeout=60s');
  });
});

async function nodesOfRunning(cluster: TestCluster): Promise<string[]> {
  const all = await cluster.kubectl('get', 'pods', '-l', 'app=spread', '-o', 'json');
  // Safe: kubectl prints a PodList.
  const { items } = JSON.parse(all) as {
    items: { metadata: { deletionTimestamp?: string }; spec: { nodeName?: string }; status: { phase: string } }[];
  };
  return items.flatMap((pod) =>
    pod.metadata.deletionTimestamp === undefined && pod.status.phase === 'Running' ? (pod.spec.nodeName ?? []) : [],
  );
}
