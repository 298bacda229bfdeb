import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from './support/eventually.ts';
import { freePort } from './support/story.ts';
import { type Kubectl, kubectlFor, run } from './support/run.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const NOBODY = '65534';
const BECOME_NOBODY = ['--reuid', NOBODY, '--regid', NOBODY, '--clear-groups'];
// In a checkout below a private folder, nobody can read no package.
const READS_PACKAGES = ['-e', `fs.readFileSync(${JSON.stringify(join(ROOT, 'node_modules', 'yaml', 'package.json'))})`];
const canDropRights =
  process.getuid?.() === 0 &&
  spawnSync('setpriv', [...BECOME_NOBODY, process.execPath, ...READS_PACKAGES]).status === 0;

describe.skipIf(!canDropRights)(
  `without root, pods run as processes${canDropRights ? '' : ' (skipped: needs root, setpriv, and a checkout that nobody may read)'}`,
  () => {
    let folder: string;
    let kubectl: Kubectl;

    const asNobody = (...args: string[]) => {
      // Nobody may not read the checkout of every machine: the build is copied to where they may.
      return run('setpriv', [...BECOME_NOBODY, process.execPath, ...args], {
        env: { ...process.env, HOME: join(folder, 'home') },
        timeoutMs: 150_000,
      });
    };
    const tiphys = (command: string, ...args: string[]) =>
      asNobody(join(folder, 'app', 'bin', 'tiphys.mjs'), command, ...args, '--data-dir', join(folder, 'home', 'data'));

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'tiphys-nobody-'));
      chmodSync(folder, 0o755);
      for (const name of ['bin', 'dist', 'package.json']) {
        cpSync(join(ROOT, name), join(folder, 'app', name), { recursive: true });
      }
      await run('ln', ['-s', join(ROOT, 'node_modules'), join(folder, 'app', 'node_modules')]);
      await run('install', ['-d', '-o', NOBODY, '-g', NOBODY, join(folder, 'home')]);
      const started = await tiphys('up', '--detach', '--port', '0');
      expect(started.code, started.stderr).toBe(0);
      expect(started.stderr).toContain('using --runtime process');
      expect(started.stderr).toMatch(/not isolated: .*network/);
      kubectl = await kubectlFor(join(folder, 'home', 'data', 'admin.conf'));
    });

    afterAll(async () => {
      const deleted = await tiphys('delete');
      rmSync(folder, { recursive: true, force: true });
      expect(deleted.code, deleted.stderr).toBe(0);
    });

    test('a pod runs, answers exec and logs, and a Service leads to it', async () => {
      const port = String(await freePort());
      const script = `echo started; httpd -f -p ${port} -h /etc`;
      await kubectl('run', 'web', '--image=localhost/busybox:1', '--', 'sh', '-c', script);
      await kubectl('wait', '--for=condition=Ready', 'pod/web', '--timeout=60s');
      expect(await kubectl('logs', 'web')).toContain('started');
      expect((await kubectl('exec', 'web', '--', 'echo', 'hello')).trim()).toBe('hello');
      await kubectl('expose', 'pod', 'web', '--port=8080', `--target-port=${port}`);
      const address = (await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}')).trim();
      const body = await eventually(
        'an answer at the service address',
        async () => (await fetch(`http://${address}:8080/group`)).text(),
        (text) => text.includes('root'),
      );
      expect(body).toContain('root:x:0');
    });
  },
);
