import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readKubeletConfiguration } from './kubelet-configuration.ts';

const directory = mkdtempSync(join(tmpdir(), 'tiphys-kubelet-'));

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function read(text: string) {
  const path = join(directory, 'config.yaml');
  writeFileSync(path, text);
  return readKubeletConfiguration(path);
}

const HEAD = 'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n';

describe('readKubeletConfiguration', () => {
  test('reads what it knows and leaves the rest alone', () => {
    const found = read(
      `${HEAD}maxPods: 7\nclusterDNS: [10.96.0.10]\nauthentication: {x509: {clientCAFile: /ca}}\nserializeImagePulls: true\n`,
    );
    expect(found.maxPods).toBe(7);
    expect(found.clusterDNS).toEqual(['10.96.0.10']);
    expect(found.authentication?.x509?.clientCAFile).toBe('/ca');
  });

  test('takes a field that is null for one that is not there', () => {
    expect(read(`${HEAD}maxPods: null\n`).maxPods).toBeUndefined();
  });

  test.each([
    ['another kind', 'apiVersion: v1\nkind: Pod\n', 'holds no KubeletConfiguration of kubelet.config.k8s.io/v1beta1'],
    ['two documents', `${HEAD}---\n${HEAD}`, 'must hold one KubeletConfiguration'],
    ['nothing', '', 'must hold one KubeletConfiguration'],
    ['a field of another type', `${HEAD}maxPods: many\n`, 'maxPods must be of type number'],
  ])('refuses %s, with the name of the file', (_name, text, message) => {
    expect(() => read(text)).toThrow(message);
    expect(() => read(text)).toThrow('config.yaml');
  });
});
