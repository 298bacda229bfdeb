import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Deployment, Pod, ReplicaSet } from '#api/generated/types.ts';
import { START_MS, testDeployment, testPod, testTemplate } from '../testing/objects.ts';
import { findCondition } from './conditions.ts';
import { type DeploymentPlan, planDeployment } from './plan.ts';
import { REVISION } from './revision.ts';
import { rollingBounds } from './rolling-bounds.ts';

/** A world with one Deployment, in which plans are carried out at once and pods become ready when a test says so. */
class World {
  deployment: Deployment;
  sets: ReplicaSet[] = [];
  events: string[] = [];
  nowMs = START_MS;
  pods: (uid: string) => Pod[] = () => [];
  #created = 0;

  constructor(deployment: Deployment) {
    this.deployment = deployment;
  }

  step(): DeploymentPlan {
    this.nowMs += 1000;
    const plan = planDeployment({
      deployment: this.deployment,
      replicaSets: this.sets,
      podsOf: (uid) => this.pods(uid),
      nowMs: this.nowMs,
    });
    for (const { type, next, event } of plan.writes) {
      const created = { ...next.metadata, uid: `uid-${next.metadata.name}` };
      const time = `2026-01-01T00:00:${String(10 + this.#created).padStart(2, '0')}Z`;
      if (type === 'create') {
        this.#created++;
        this.sets.push({ ...next, metadata: { ...created, creationTimestamp: time }, status: { replicas: 0 } });
      } else {
        this.sets = this.sets.map((set) => (set.metadata.name === next.metadata.name ? next : set));
      }
      if (event !== undefined) this.events.push(event);
    }
    this.sets = this.sets.filter((set) => !plan.deletions.some((gone) => gone.metadata.name === set.metadata.name));
    if (plan.next !== undefined) this.deployment = plan.next;
    return plan;
  }

  /** Pods follow their sets; as many as `ready` says of the missing ones become available. */
  progress(ready: (missing: number) => number): void {
    this.sets = this.sets.map((set) => {
      const replicas = set.spec.replicas ?? 0;
      const before = Math.min(set.status?.availableReplicas ?? 0, replicas);
      const available = before + Math.min(replicas - before, ready(replicas - before));
      const observedGeneration = set.metadata.generation ?? 0;
      const counts = { replicas, readyReplicas: available, availableReplicas: available };
      return { ...set, status: { ...counts, observedGeneration } };
    });
  }

  /** Steps until nothing changes any more. */
  settle(): void {
    for (let round = 0; round < 200; round++) {
      const plan = this.step();
      const before = JSON.stringify(this.sets);
      this.progress((missing) => missing);
      if (plan.writes.length === 0 && plan.next === undefined && JSON.stringify(this.sets) === before) return;
    }
    throw new Error('the Deployment does not come to rest');
  }

  update(change: Partial<Deployment['spec']>): void {
    const { metadata, spec } = this.deployment;
    this.deployment = {
      ...this.deployment,
      metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 },
      spec: { ...spec, ...change },
    };
  }

  get total(): number {
    return this.sets.reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0);
  }

  get available(): number {
    return this.sets.reduce((sum, set) => sum + (set.status?.availableReplicas ?? 0), 0);
  }
}

describe('planDeployment', () => {
  test('creates the first ReplicaSet with upstream labels, annotations and event', () => {
    const world = new World(testDeployment('web'));
    world.step();
    const [set] = world.sets;
    const hash = set?.metadata.labels?.['pod-template-hash'] ?? '';
    expect(hash).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]+$/);
    expect(set?.metadata.name).toBe(`web-${hash}`);
    expect(set?.spec.selector.matchLabels).toEqual({ app: 'web', 'pod-template-hash': hash });
    expect(set?.metadata.annotations).toEqual({
      'deployment.kubernetes.io/revision': '1',
      'deployment.kubernetes.io/desired-replicas': '3',
      'deployment.kubernetes.io/max-replicas': '4',
    });
    expect(world.events).toEqual([`Scaled up replica set web-${hash} from 0 to 3`]);
    expect(world.deployment.metadata.annotations?.[REVISION]).toBe('1');
    expect(findCondition(world.deployment.status?.conditions, 'Progressing')).toMatchObject({
      status: 'True',
      reason: 'NewReplicaSetCreated',
      message: `Created new replica set "web-${hash}"`,
    });
  });

  test('reports completion in upstream words', () => {
    const world = new World(testDeployment('web'));
    world.settle();
    const name = world.sets[0]?.metadata.name;
    expect(world.deployment.status).toMatchObject({
      replicas: 3,
      updatedReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      observedGeneration: 1,
    });
    expect(world.deployment.status?.unavailableReplicas).toBeUndefined();
    const conditions = world.deployment.status?.conditions;
    expect(findCondition(conditions, 'Available')).toMatchObject({
      status: 'True',
      reason: 'MinimumReplicasAvailable',
      message: 'Deployment has minimum availability.',
    });
    expect(findCondition(conditions, 'Progressing')).toMatchObject({
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: `ReplicaSet "${name}" has successfully progressed.`,
    });
  });

  test('a rollback takes the old set up again as a new revision', () => {
    const world = new World(testDeployment('web'));
    world.settle();
    const first = world.sets[0]?.metadata.name;
    world.update({ template: testTemplate('web', 'image:2') });
    world.settle();
    expect(world.sets).toHaveLength(2);
    world.update({ template: testTemplate('web', 'image:1') });
    world.settle();
    const reused = world.sets.find((set) => set.metadata.name === first);
    expect(world.sets).toHaveLength(2);
    expect(reused?.spec.replicas).toBe(3);
    expect(reused?.metadata.annotations?.[REVISION]).toBe('3');
    expect(reused?.metadata.annotations?.['deployment.kubernetes.io/revision-history']).toBe('1');
    expect(world.deployment.metadata.annotations?.[REVISION]).toBe('3');
  });

  test('a paused Deployment does not roll out, but scales', () => {
    const world = new World(testDeployment('web'));
    world.settle();
    world.update({ paused: true, template: testTemplate('web', 'image:2') });
    world.settle();
    expect(world.sets).toHaveLength(1);
    expect(findCondition(world.deployment.status?.conditions, 'Progressing')).toMatchObject({
      status: 'Unknown',
      reason: 'DeploymentPaused',
      message: 'Deployment is paused',
    });
    world.update({ replicas: 5 });
    world.settle();
    expect(world.total).toBe(5);
    world.update({ paused: false });
    world.step();
    expect(world.sets).toHaveLength(2);
  });

  test('a rollout without progress exceeds its deadline', () => {
    const world = new World(testDeployment('web', { progressDeadlineSeconds: 10 }));
    world.step();
    world.progress(() => 0);
    expect(world.step().requeueInMs).toBeGreaterThan(1000);
    world.nowMs += 30_000;
    world.step();
    world.nowMs += 30_000;
    world.step();
    expect(findCondition(world.deployment.status?.conditions, 'Progressing')).toMatchObject({
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: `ReplicaSet "${world.sets[0]?.metadata.name}" has timed out progressing.`,
    });
  });

  test('Recreate waits for the last old pod', () => {
    const world = new World(testDeployment('web', { strategy: { type: 'Recreate' } }));
    world.settle();
    world.pods = () => [testPod('old', { isTerminating: true })];
    world.update({ template: testTemplate('web', 'image:2') });
    world.step();
    expect(world.total).toBe(0);
    world.progress((missing) => missing);
    world.step();
    expect(world.sets).toHaveLength(1);
    world.pods = () => [];
    world.step();
    expect(world.sets).toHaveLength(2);
    expect(world.total).toBe(3);
  });

  test('old sets beyond the history limit are deleted, the oldest first', () => {
    const world = new World(testDeployment('web', { revisionHistoryLimit: 2 }));
    for (let version = 1; version <= 6; version++) {
      world.update({ template: testTemplate('web', `image:${version}`) });
      world.settle();
    }
    const revisions = world.sets.map((set) => set.metadata.annotations?.[REVISION] ?? '').toSorted();
    expect(revisions).toEqual(['4', '5', '6']);
  });

  test('scaling in the middle of a rollout is proportional', () => {
    const rollingUpdate = { maxSurge: 3, maxUnavailable: 2 };
    const world = new World(
      testDeployment('web', { replicas: 10, strategy: { type: 'RollingUpdate', rollingUpdate } }),
    );
    world.settle();
    world.update({ template: testTemplate('web', 'image:2') });
    for (let round = 0; round < 3; round++) {
      world.step();
      world.progress(() => 0);
    }
    expect(world.sets.map((set) => set.spec.replicas)).toEqual([8, 5]);
    world.update({ replicas: 15 });
    world.step();
    expect(world.sets.map((set) => set.spec.replicas)).toEqual([11, 7]);
  });

  const intOrPercent = fc.oneof(
    fc.integer({ min: 0, max: 6 }),
    fc.integer({ min: 0, max: 100 }).map((n) => `${n}%`),
  );

  test('never more than wanted and surge, never less available than allowed, and always to the end', () => {
    const property = fc.property(
      fc.integer({ min: 0, max: 20 }),
      intOrPercent,
      intOrPercent,
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 40 }),
      (replicas, maxSurge, maxUnavailable, speeds) => {
        const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } };
        const world = new World(testDeployment('web', { replicas, strategy }));
        world.settle();
        const bounds = rollingBounds(world.deployment);
        world.update({ template: testTemplate('web', 'image:2') });
        for (const [index, speed] of speeds.entries()) {
          if (index === 20) world.update({ template: testTemplate('web', 'image:3') });
          world.step();
          expect(world.total).toBeLessThanOrEqual(replicas + bounds.maxSurge);
          world.progress(() => speed);
          expect(world.available).toBeGreaterThanOrEqual(replicas - bounds.maxUnavailable);
        }
        world.settle();
        expect(world.total).toBe(replicas);
        expect(world.available).toBe(replicas);
        const current = world.sets.filter((set) => (set.spec.replicas ?? 0) > 0);
        expect(current.length).toBeLessThanOrEqual(1);
      },
    );
    fc.assert(property, { seed: 20260101, numRuns: 200 });
  });

  test('scaling at any moment ends with the wanted number', () => {
    const property = fc.property(
      fc.integer({ min: 0, max: 15 }),
      fc.array(fc.record({ replicas: fc.integer({ min: 0, max: 15 }), steps: fc.integer({ min: 0, max: 5 }) })),
      (replicas, changes) => {
        const world = new World(testDeployment('web', { replicas }));
        world.settle();
        world.update({ template: testTemplate('web', 'image:2') });
        for (const change of changes) {
          world.update({ replicas: change.replicas });
          for (let step = 0; step < change.steps; step++) {
            world.step();
            world.progress((missing) => Math.min(1, missing));
          }
        }
        world.settle();
        expect(world.total).toBe(world.deployment.spec.replicas);
      },
    );
    fc.assert(property, { seed: 20260102, numRuns: 200 });
  });
});
