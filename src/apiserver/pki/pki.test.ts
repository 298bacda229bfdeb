import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '#machinery/clock/clock.ts';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';
import { ensurePki } from './pki.ts';

const YEAR_MS = 365 * 86_400_000;
let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'tiphys-pki-'));
});
afterEach(async () => {
  await rm(dataDir, { recursive: true, force: true });
});

const deps = () => ({ clock: new RealClock(), random: new SystemRandom() });

describe('ensurePki', () => {
  test('issues certificates that verify against the cluster CA, in files only the owner reads', async () => {
    const pki = await ensurePki(dataDir, { extraNames: ['example.test', '192.0.2.7'] }, deps());
    const ca = new X509Certificate(pki.ca.certificate);
    const serving = new X509Certificate(pki.serving.certificate);
    expect(ca.ca).toBe(true);
    expect(serving.checkIssued(ca)).toBe(true);
    expect(serving.verify(ca.publicKey)).toBe(true);
    expect(serving.checkPrivateKey(createPrivateKey(pki.serving.key))).toBe(true);
    for (const name of ['localhost', 'kubernetes', 'kubernetes.default.svc.cluster.local', 'example.test']) {
      expect(serving.checkHost(name)).toBe(name);
    }
    for (const address of ['127.0.0.1', '10.96.0.1', '192.0.2.7', '::1']) {
      expect(serving.checkIP(address)).toBe(address);
    }
    expect(new X509Certificate(pki.admin.certificate).subject).toBe('O=kubeadm:cluster-admins\nCN=kubernetes-admin');
    const node = new X509Certificate(pki.issueNode('n1').certificate);
    expect(node.subject).toBe('O=system:nodes\nCN=system:node:n1');
    expect(node.verify(ca.publicKey)).toBe(true);
    const names = await readdir(pki.directory);
    expect(names).toContain('sa.pub');
    for (const name of names) {
      expect((await stat(path.join(pki.directory, name))).mode & 0o777).toBe(0o600);
    }
  });

  test('keeps what it has after a restart', async () => {
    const first = await ensurePki(dataDir, {}, deps());
    const second = await ensurePki(dataDir, {}, deps());
    expect(second.serving).toEqual(first.serving);
    expect(second.serviceAccount).toEqual(first.serviceAccount);
  });

  test('issues the serving certificate anew for other names, under the same CA', async () => {
    const first = await ensurePki(dataDir, {}, deps());
    const second = await ensurePki(dataDir, { extraNames: ['other.test'] }, deps());
    expect(second.ca).toEqual(first.ca);
    expect(second.serving).not.toEqual(first.serving);
    expect(second.admin).toEqual(first.admin);
  });

  test('issues leaves anew when they are about to expire', async () => {
    const first = await ensurePki(dataDir, {}, deps());
    const later = new RealClock().now() + 0.9 * YEAR_MS;
    // Only the time of day is asked for here.
    const clock = { now: () => later } as Clock;
    const second = await ensurePki(dataDir, {}, { ...deps(), clock });
    expect(second.ca).toEqual(first.ca);
    expect(second.admin.certificate).not.toBe(first.admin.certificate);
  });
});
