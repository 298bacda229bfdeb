import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Container, Pod } from '#api/generated/types.ts';
import { testContainer, testPod } from '../testing/test-node.ts';
import { containerHash } from './labels.ts';
import { planPod } from './plan.ts';
import type { PlanInput, PodAction } from './plan-types.ts';
import type { ContainerView, PodView } from './view.ts';

const sidecar = (name: string, more: Partial<Container> = {}) =>
  testContainer(name, { restartPolicy: 'Always', ...more });

function attempt(container: Container, more: Partial<ContainerView> = {}): ContainerView {
  return {
    id: `id-${container.name}-${more.restartCount ?? 0}`,
    sandboxId: 's1',
    name: container.name,
    state: 'RUNNING',
    hash: containerHash(container),
    restartCount: 0,
    createdAtMs: 1000,
    startedAtMs: 1000,
    finishedAtMs: 0,
    exitCode: 0,
    reason: '',
    message: '',
    image: '',
    imageRef: '',
    ...more,
  };
}

const exited = (container: Container, exitCode: number) =>
  attempt(container, { state: 'EXITED', exitCode, finishedAtMs: 2000 });

function viewOf(containers: ContainerView[], sandbox: 'READY' | 'NOTREADY' | 'none' = 'READY'): PodView {
  const metadata = { name: 'p', uid: 'u', namespace: 'default', attempt: 0 };
  const ready = { id: 's1', metadata, createdAtMs: 1, labels: {}, annotations: {}, ip: '10.0.0.2', additionalIps: [] };
  return { sandboxes: sandbox === 'none' ? [] : [{ ...ready, state: sandbox }], containers, ips: ['10.0.0.2'] };
}

function plan(pod: Pod, view: PodView, more: Partial<PlanInput> = {}) {
  return planPod({
    pod,
    view,
    nowMs: 10_000,
    liveness: () => undefined,
    startup: () => undefined,
    backOff: () => ({ waitMs: 0, delayMs: 0 }),
    ...more,
  });
}

/** `start main#1`, `kill main`, `createSandbox 0`…: a plan as one reads it. */
function words(actions: readonly PodAction[]): string[] {
  return actions.map((action) => {
    switch (action.type) {
      case 'startContainer':
        return `start ${action.container.name}#${action.restartCount}`;
      case 'killContainer':
        return `kill ${action.container.name}`;
      case 'createSandbox':
        return `createSandbox ${action.attempt}`;
      case 'backOff':
        return `backOff ${action.container.name}`;
      case 'removeContainer':
        return `remove ${action.id}`;
      default:
        return action.type;
    }
  });
}

describe('planPod', () => {
  const main = testContainer('main');
  const init = testContainer('init');
  const proxy = sidecar('proxy');
  const base = testPod('p');
  const never = testPod('p', { restartPolicy: 'Never' });
  const onFailure = testPod('p', { restartPolicy: 'OnFailure' });
  const withInit = testPod('p', { initContainers: [init] });
  const withSidecar = testPod('p', { initContainers: [proxy, init] });
  const probed = sidecar('proxy', { startupProbe: { exec: { command: ['true'] } } });
  const withProbed = testPod('p', { initContainers: [probed] });

  const rows: [string, Pod, PodView, Partial<PlanInput>, string[]][] = [
    ['a new pod gets a sandbox and its containers', base, viewOf([], 'none'), {}, ['createSandbox 0', 'start main#0']],
    [
      'a new pod with init containers starts the first of them only',
      withInit,
      viewOf([], 'none'),
      {},
      ['createSandbox 0', 'start init#0'],
    ],
    ['a running pod is left alone', base, viewOf([attempt(main)]), {}, []],
    ['a container that ended is started again', base, viewOf([exited(main, 0)]), {}, ['start main#1']],
    [
      'a container that was created and not started is started again',
      base,
      viewOf([attempt(main, { state: 'CREATED' })]),
      {},
      ['start main#1'],
    ],
    [
      'a container in an unknown state is killed first',
      base,
      viewOf([attempt(main, { state: 'UNKNOWN' })]),
      {},
      ['kill main', 'start main#1'],
    ],
    [
      'a crash that is too fresh is waited for',
      base,
      viewOf([exited(main, 1)]),
      { backOff: () => ({ waitMs: 10, delayMs: 10_000 }) },
      ['backOff main'],
    ],
    [
      'a failed container is not restarted where the pod never restarts',
      never,
      viewOf([exited(main, 1)]),
      {},
      ['stopPod'],
    ],
    ['a success is not restarted on failure only', onFailure, viewOf([exited(main, 0)]), {}, ['stopPod']],
    ['a failure is restarted on failure', onFailure, viewOf([exited(main, 3)]), {}, ['start main#1']],
    [
      'a dead sandbox is replaced with everything in it',
      base,
      viewOf([exited(main, 137)], 'NOTREADY'),
      {},
      ['announceSandboxChange', 'stopPod', 'createSandbox 1', 'start main#1'],
    ],
    [
      'a dead sandbox of a pod that never restarts is not replaced',
      never,
      viewOf([exited(main, 137)], 'NOTREADY'),
      {},
      ['stopPod'],
    ],
    [
      'a new sandbox starts initialization over',
      withInit,
      viewOf([attempt(main, { state: 'EXITED' }), exited(init, 0)], 'NOTREADY'),
      {},
      ['announceSandboxChange', 'stopPod', 'remove id-init-0', 'createSandbox 1', 'start init#1'],
    ],
    ['regular containers wait for init containers', withInit, viewOf([attempt(init)]), {}, []],
    ['regular containers follow init containers', withInit, viewOf([exited(init, 0)]), {}, ['start main#0']],
    ['a failed init container is tried again', withInit, viewOf([exited(init, 1)]), {}, ['start init#1']],
    [
      'a failed init container ends a pod that never restarts',
      testPod('p', { initContainers: [init], restartPolicy: 'Never' }),
      viewOf([exited(init, 1)]),
      {},
      ['stopPod'],
    ],
    [
      'an init container after a sidecar starts once that runs',
      withSidecar,
      viewOf([attempt(proxy)]),
      {},
      ['start init#0'],
    ],
    [
      'a sidecar that ended is restarted while others initialize',
      withSidecar,
      viewOf([attempt(init), exited(proxy, 0)]),
      {},
      ['start proxy#1'],
    ],
    [
      'a sidecar that ended is restarted beside regular containers',
      withSidecar,
      viewOf([attempt(main), exited(init, 0), exited(proxy, 0)]),
      {},
      ['start proxy#1'],
    ],
    [
      'a sidecar does not keep a finished pod alive',
      testPod('p', { initContainers: [proxy], restartPolicy: 'Never' }),
      viewOf([exited(main, 0), attempt(proxy)]),
      {},
      ['stopPod'],
    ],
    ['a sidecar with a startup probe holds the rest until it passes', withProbed, viewOf([attempt(probed)]), {}, []],
    [
      'a sidecar whose startup probe passed lets the rest start',
      withProbed,
      viewOf([attempt(probed)]),
      { startup: () => 'success' },
      ['start main#0'],
    ],
    [
      'a sidecar that never starts is restarted',
      withProbed,
      viewOf([attempt(probed)]),
      { startup: () => 'failure' },
      ['kill proxy', 'start proxy#1'],
    ],
    [
      'a failed liveness probe restarts the container',
      base,
      viewOf([attempt(main)]),
      { liveness: () => 'failure' },
      ['kill main', 'start main#1'],
    ],
    [
      'a failed liveness probe only kills where nothing restarts',
      never,
      viewOf([attempt(main)]),
      { liveness: () => 'failure' },
      ['stopPod'],
    ],
    [
      'a changed image restarts the container',
      testPod('p', { containers: [testContainer('main', { image: 'busybox:2' })] }),
      viewOf([attempt(main)]),
      {},
      ['kill main', 'start main#1'],
    ],
    [
      'a pod being deleted starts nothing',
      testPod('p', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
      viewOf([exited(main, 0)]),
      {},
      ['stopPod'],
    ],
    [
      'an ephemeral container starts at once and once',
      testPod('p', { ephemeralContainers: [testContainer('debug')] }),
      viewOf([attempt(main)]),
      {},
      ['start debug#0'],
    ],
    [
      'a container with its own policy restarts though the pod does not',
      testPod('p', { restartPolicy: 'Never', containers: [testContainer('main', { restartPolicy: 'OnFailure' })] }),
      viewOf([exited(main, 2)]),
      {},
      ['start main#1'],
    ],
    [
      'a restart rule for an exit code is obeyed',
      testPod('p', {
        restartPolicy: 'Never',
        containers: [
          testContainer('main', {
            restartPolicy: 'Never',
            restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
          }),
        ],
      }),
      viewOf([exited(main, 42)]),
      {},
      ['start main#1'],
    ],
  ];
  test.each(rows)('%s', (_name, pod, view, more, expected) => {
    expect(words(plan(pod, view, more).actions)).toEqual(expected);
  });

  test('waits exactly until the back-off is over', () => {
    const made = plan(base, viewOf([exited(main, 1)]), { backOff: () => ({ waitMs: 7000, delayMs: 10_000 }) });
    expect(made.wakeAtMs).toBe(17_000);
  });
});

describe('planPod, for any state', () => {
  const names = ['i1', 's1', 'i2', 'a', 'b'];
  const podArbitrary = fc
    .record({ restartPolicy: fc.constantFrom('Always', 'OnFailure', 'Never'), withInit: fc.boolean() })
    .map(({ restartPolicy, withInit }) =>
      testPod('p', {
        restartPolicy,
        initContainers: withInit ? [testContainer('i1'), sidecar('s1'), testContainer('i2')] : [],
        containers: [testContainer('a'), testContainer('b')],
      }),
    );
  const attemptArbitrary = fc
    .record({
      name: fc.constantFrom(...names),
      state: fc.constantFrom('CREATED', 'RUNNING', 'EXITED', 'UNKNOWN') as fc.Arbitrary<ContainerView['state']>,
      exitCode: fc.constantFrom(0, 1),
      restartCount: fc.nat(3),
    })
    .map(({ name, ...more }) => attempt(testContainer(name), more));
  const stateArbitrary = fc.record({
    pod: podArbitrary,
    containers: fc.uniqueArray(attemptArbitrary, { selector: ({ name }) => name }),
    sandbox: fc.constantFrom('READY', 'NOTREADY', 'none') as fc.Arbitrary<'READY' | 'NOTREADY' | 'none'>,
  });

  test('never starts a container that runs, unless it kills it first', () => {
    fc.assert(
      fc.property(stateArbitrary, ({ pod, containers, sandbox }) => {
        const { actions } = plan(pod, viewOf(containers, sandbox));
        const ended = new Set<string>();
        for (const action of actions) {
          if (action.type === 'stopPod') for (const one of containers) ended.add(one.name);
          if (action.type === 'killContainer') ended.add(action.container.name);
          if (action.type !== 'startContainer') continue;
          const current = containers.find(({ name }) => name === action.container.name);
          const mayRun = current?.state === 'RUNNING' || current?.state === 'UNKNOWN';
          expect(mayRun && !ended.has(action.container.name)).toBe(false);
        }
      }),
    );
  });

  test('never starts a container twice, and needs a sandbox for each', () => {
    fc.assert(
      fc.property(stateArbitrary, ({ pod, containers, sandbox }) => {
        const made = plan(pod, viewOf(containers, sandbox));
        const starts = made.actions.filter((action) => action.type === 'startContainer');
        expect(new Set(starts.map(({ container }) => container.name)).size).toBe(starts.length);
        const makesSandbox = made.actions.some(({ type }) => type === 'createSandbox');
        expect(starts.length === 0 || sandbox === 'READY' || makesSandbox).toBe(true);
      }),
    );
  });

  test('comes to rest when its steps succeed and containers only end well', () => {
    fc.assert(
      fc.property(podArbitrary, (pod) => {
        let view = viewOf([], 'none');
        for (let round = 0; round < 12; round += 1) {
          const { actions } = plan(pod, view);
          if (actions.length === 0) break;
          view = after(view, actions);
          // Init containers that are not sidecars end by themselves.
          view = {
            ...view,
            containers: view.containers.map((one) => (one.name.startsWith('i') ? { ...one, state: 'EXITED' } : one)),
          };
        }
        expect(plan(pod, view).actions).toEqual([]);
        const running = view.containers.filter(({ state }) => state === 'RUNNING').map(({ name }) => name);
        expect(running.sort()).toEqual(pod.spec.initContainers?.length === 0 ? ['a', 'b'] : ['a', 'b', 's1']);
      }),
    );
  });
});

/** The world once a plan's steps have succeeded. */
function after(view: PodView, actions: readonly PodAction[]): PodView {
  let { containers, sandboxes } = view;
  for (const action of actions) {
    if (action.type === 'createSandbox') sandboxes = viewOf([]).sandboxes;
    if (action.type === 'startContainer') {
      const started = attempt(action.container, { restartCount: action.restartCount });
      containers = [started, ...containers.filter(({ name }) => name !== started.name)];
    }
  }
  return { ...view, containers, sandboxes };
}
