import { describe, expect, test } from 'vitest';

import type { ContainerConfig } from '../contract.ts';
import { mountsBelow } from './containerd-cleanup.ts';
import { renderContainerdConfig } from './containerd-config.ts';
import { containerConfigToWire, containerStatusFromWire } from './convert.ts';
import { CriMessages } from './descriptor.ts';
import type { WireContainerStatus } from './wire.ts';

const CONFIG: ContainerConfig = {
  metadata: { name: 'main', attempt: 2 },
  image: { image: 'busybox', userSpecifiedImage: 'busybox' },
  command: ['sh'],
  args: ['-c', 'true'],
  workingDir: '/tmp',
  envs: [{ key: 'A', value: 'ü' }],
  mounts: [{ containerPath: '/a', hostPath: '/b', readonly: true, propagation: 'HOST_TO_CONTAINER' }],
  devices: [],
  labels: { app: 'web' },
  annotations: {},
  logPath: 'main/2.log',
  stdin: false,
  stdinOnce: false,
  tty: true,
  stopSignal: 'SIGUSR1',
  linux: {
    resources: {
      cpuQuota: 5000,
      cpuPeriod: 100_000,
      memoryLimitInBytes: 6_000_000_000,
      oomScoreAdj: -997,
      pidsLimit: 5,
    },
    securityContext: {
      capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
      privileged: false,
      namespaceOptions: { network: 'POD', pid: 'TARGET', ipc: 'NODE', targetId: 'x' },
      runAsUser: 0,
      readonlyRootfs: true,
      supplementalGroups: [1, 4_000_000_000],
      noNewPrivs: true,
      maskedPaths: ['/proc/kcore'],
      readonlyPaths: [],
      seccomp: { profileType: 'Localhost', localhostRef: 'p.json' },
    },
  },
};

describe('CRI messages', () => {
  test('carry a container config over the wire and back', () => {
    const codec = new CriMessages().codec('ContainerConfig');
    expect(codec.decode(codec.encode(containerConfigToWire(CONFIG)))).toMatchObject({
      ...CONFIG,
      linux: {
        resources: { cpuQuota: 5000, memoryLimitInBytes: 6_000_000_000, oomScoreAdj: -997 },
        securityContext: {
          capabilities: { addCapabilities: ['NET_ADMIN'], dropCapabilities: ['ALL'] },
          namespaceOptions: { network: 'POD', pid: 'TARGET', ipc: 'NODE', targetId: 'x' },
          // User 0 is said, and not the same as no user.
          runAsUser: { value: 0 },
          runAsGroup: null,
          supplementalGroups: [1, 4_000_000_000],
          seccomp: { profileType: 'Localhost', localhostRef: 'p.json' },
        },
      },
    });
  });

  test('have the field numbers of runtime.v1', () => {
    const messages = new CriMessages();
    const bytes = (name: string, value: Record<string, unknown>): string =>
      messages.codec(name).encode(value).toString('hex');
    expect(bytes('ContainerConfig', { stopSignal: 'SIGTERM', logPath: 'x' })).toBe('5a0178900117');
    expect(bytes('SandboxSecurityContext', { runAsGroup: { value: 5 }, privileged: true })).toBe('300142020805');
    expect(bytes('ExecSyncRequest', { containerId: 'a', cmd: ['b'], timeout: 3 })).toBe('0a01611201621803');
  });

  test('tell times in milliseconds and absent ones as 0', () => {
    const wire: WireContainerStatus = {
      id: 'a',
      metadata: null,
      image: null,
      imageRef: '',
      state: 'RUNNING',
      createdAt: 1_700_000_000_123 * 1_000_000,
      startedAt: -62_135_596_800_000_000_000,
      finishedAt: 0,
      exitCode: 0,
      reason: '',
      message: '',
      labels: {},
      annotations: {},
      mounts: [],
      logPath: '',
      user: null,
    };
    const status = containerStatusFromWire(wire, 's');
    expect([status.createdAtMs, status.startedAtMs, status.finishedAtMs]).toEqual([1_700_000_000_123, 0, 0]);
  });
});

describe('containerd', () => {
  test('is told its folders and what the machine cannot do', () => {
    const text = renderContainerdConfig({
      rootDir: '/data/"x"',
      stateDir: '/run/t',
      socketPath: '/run/t/containerd.sock',
      sandboxImage: 'localhost/tiphys/pause:1',
      snapshotter: 'native',
      cniBinDir: '/usr/lib/cni',
      cniConfDir: '/data/cni',
      runtimeBinary: '/usr/sbin/runc',
      restrictOomScoreAdj: true,
    });
    expect(text).toContain(String.raw`root = "/data/\"x\""`);
    expect(text).toContain('restrict_oom_score_adj = true');
    expect(text).toContain('snapshotter = "native"');
    expect(text).toContain('Root = "/run/t/runc"');
  });

  test('mountsBelow lists the deepest first and decodes escapes', () => {
    const info = [
      '1 0 8:1 / / rw - ext4 /dev/a rw',
      '2 1 0:1 / /run/t/a rw - overlay overlay rw',
      '3 2 0:2 / /run/t/a/b\\040c rw - tmpfs tmpfs rw',
      '4 1 0:3 / /run/tt rw - tmpfs tmpfs rw',
    ].join('\n');
    expect(mountsBelow(['/run/t'], info)).toEqual(['/run/t/a/b c', '/run/t/a']);
  });
});
