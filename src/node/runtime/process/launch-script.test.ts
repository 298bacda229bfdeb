import { execFileSync } from 'node:child_process';

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { findInRoot, rewritePaths } from './command-lookup.ts';
import { enterCommand, isLaunching, type LaunchPlan, quote, renderLaunch } from './launch-script.ts';

const TOOLS = {
  sh: '/bin/sh',
  env: '/usr/bin/env',
  unshare: '/usr/bin/unshare',
  nsenter: '/usr/bin/nsenter',
  mount: '/usr/bin/mount',
  chroot: '/usr/sbin/chroot',
  setpriv: '/usr/bin/setpriv',
};

function plan(overrides: Partial<LaunchPlan> = {}): LaunchPlan {
  return {
    isolation: { level: 'root', hasOverlay: true, tools: TOOLS },
    rootfs: { type: 'overlay', lower: '/images/a', upper: '/c/upper', work: '/c/work' },
    root: '/c/rootfs',
    isRootReadonly: false,
    binds: [],
    argv: ['sh', '-c', "echo 'hi'"],
    environment: { PATH: '/bin', NAME: 'a b' },
    workingDirectory: '/tmp',
    cgroupFiles: [],
    mainPidPath: '/c/main.pid',
    ...overrides,
  };
}

describe('quote', () => {
  test('survives the shell for any text', () => {
    const words = fc.array(
      fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0')),
      { minLength: 1, maxLength: 5 },
    );
    const property = fc.property(words, (texts) => {
      const output = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${texts.map(quote).join(' ')}`]).toString();
      expect(output).toBe(texts.map((text) => `${text}\0`).join(''));
    });
    fc.assert(property, { numRuns: 30 });
  });
});

describe('renderLaunch', () => {
  test('joins cgroups and the network first, then makes namespaces', () => {
    const { launch } = renderLaunch(
      plan({ cgroupFiles: ['/sys/fs/cgroup/cpu/x/cgroup.procs'], networkNamespace: '/run/netns/a' }),
      '/c/inside.sh',
    );
    const [, cgroup = '', exec = ''] = launch.split('\n');
    expect(cgroup).toContain('echo $$ > /sys/fs/cgroup/cpu/x/cgroup.procs');
    expect(exec).toMatch(
      /^exec \/usr\/bin\/nsenter --net=\/run\/netns\/a \/usr\/bin\/unshare --mount --uts --ipc --pid \/bin\/sh -c /,
    );
  });

  test('mounts the root, then volumes, and becomes the command last', () => {
    const bind = { source: '/v/config', target: '/c/rootfs/etc/app', isDirectory: true, isReadonly: true };
    const { inside } = renderLaunch(plan({ binds: [bind], isRootReadonly: true }), '/c/inside.sh');
    const order = [
      '-t overlay overlay',
      '/c/rootfs/proc',
      '--rbind /v/config /c/rootfs/etc/app',
      'remount,bind,ro /c/rootfs/etc/app',
      'remount,ro /c/rootfs',
      '/c/main.pid',
      'exec ',
    ];
    const positions = order.map((text) => inside.indexOf(text));
    expect(positions.every((position) => position >= 0)).toBe(true);
    expect(positions).toEqual([...positions].sort((left, right) => left - right));
  });

  test('in a user namespace asks for one and uses what overlayfs allows there', () => {
    const isolation = { level: 'user', hasOverlay: true, tools: TOOLS } as const;
    const { launch, inside } = renderLaunch(plan({ isolation }), '/c/inside.sh');
    expect(launch).toContain('--user --map-root-user');
    expect(inside).toContain('userxattr');
  });

  test('without namespaces is the command itself', () => {
    const isolation = { level: 'none', hasOverlay: false, tools: TOOLS } as const;
    const { launch, inside } = renderLaunch(plan({ isolation, rootfs: { type: 'directory' } }), '/c/inside.sh');
    expect(inside).toBe('');
    expect(launch.trimEnd().split('\n').at(-1)).toBe(
      `exec /usr/bin/env -i PATH=/bin 'NAME=a b' sh -c 'echo '\\''hi'\\'''`,
    );
  });
});

describe('enterCommand', () => {
  test('drops capabilities and becomes the user', () => {
    const command = enterCommand(plan({ user: { uid: 7, gid: 8, groups: [] }, capabilities: ['chown', 'setuid'] }));
    expect(command.slice(4)).toEqual([
      '/usr/bin/setpriv',
      '--inh-caps=-all',
      '--bounding-set=-all,+chown,+setuid',
      '/usr/bin/unshare',
      '--root=/c/rootfs',
      '--wd=/tmp',
      '--setgid=8',
      '--setuid=7',
      '--',
      'sh',
      '-c',
      "echo 'hi'",
    ]);
  });

  test('uses chroot for further groups', () => {
    const command = enterCommand(plan({ user: { uid: 7, gid: 8, groups: [9, 10] } }));
    expect(command).toContain('--groups=9,10');
    expect(command).toContain('cd /tmp && exec "$@"');
  });
});

test.each([
  [['/bin/sh', '/c/inside.sh'], true],
  [['/usr/bin/env', '-i', 'A=b'], true],
  [['/usr/bin/unshare', '--root=/c/rootfs'], true],
  [['/bin/sh', '-c', 'x'], false],
  [['httpd', '-i'], false],
  [[''], false],
])('isLaunching %j is %s', (commandLine, expected) => {
  expect(isLaunching(commandLine, '/c/inside.sh')).toBe(expected);
});

describe('rewritePaths', () => {
  const mounts = [
    { containerPath: '/www', hostPath: '/host/www' },
    { containerPath: '/www/sub', hostPath: '/host/sub' },
    { containerPath: '/etc/a.conf', hostPath: '/host/conf' },
  ];

  test.each([
    ['/www', '/host/www'],
    ['/www/index.html', '/host/www/index.html'],
    ['/www/sub/x', '/host/sub/x'],
    ['/wwwroot', '/wwwroot'],
    ['/var/www', '/var/www'],
    ['cat /www/a "/www/b" --dir=/www; ls /www', 'cat /host/www/a "/host/www/b" --dir=/host/www; ls /host/www'],
    ['-c /etc/a.conf', '-c /host/conf'],
    ['/etc/aXconf', '/etc/aXconf'],
  ])('%s', (text, expected) => {
    expect(rewritePaths(text, mounts)).toBe(expected);
  });
});

test('findInRoot finds by PATH, by path and relative to the working directory, and nothing outside', () => {
  const lookup = { path: '/bin:/usr/bin', workingDirectory: '/bin' };
  expect(findInRoot('/', 'sh', lookup)).toMatch(/\/sh|dash|bash|busybox/);
  expect(findInRoot('/', '/bin/sh', lookup)).toBeDefined();
  expect(findInRoot('/', './sh', lookup)).toBeDefined();
  expect(findInRoot('/', 'no-such-command', lookup)).toBeUndefined();
  expect(findInRoot('/proc/self/fdinfo', '/../../../../bin/sh', lookup)).toBeUndefined();
});
