import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findTool } from '../../../src/cli/kubectl-binary.ts';
import { run } from '../support/run.ts';
import { ownCluster } from './support.ts';

const CHART: Record<string, string> = {
  'Chart.yaml': 'apiVersion: v2\nname: boats\nversion: 0.1.0\nappVersion: "1"\n',
  'values.yaml': 'size: 1\nsecond: false\n',
  'crds/boats.yaml': `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.sea.example.com}
spec:
  group: sea.example.com
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1}
              flag: {type: string, default: none}
              sails:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, required: [name], properties: {name: {type: string}, area: {type: integer}}}
`,
  'templates/boat.yaml': `apiVersion: sea.example.com/v1
kind: Boat
metadata:
  name: {{ .Release.Name }}
  labels: {release: {{ .Release.Name }}}
spec:
  size: {{ .Values.size }}
  sails: [{name: main, area: {{ mul .Values.size 10 }}}]
---
{{- if .Values.second }}
apiVersion: sea.example.com/v1
kind: Boat
metadata: {name: {{ .Release.Name }}-second}
spec: {size: 2}
{{- end }}
`,
  'templates/hooks.yaml': `{{- range $hook := list "pre-install" "post-upgrade" "pre-delete" }}
---
apiVersion: sea.example.com/v1
kind: Boat
metadata:
  name: {{ $hook }}
  annotations:
    helm.sh/hook: {{ $hook }}
    helm.sh/hook-delete-policy: before-hook-creation
spec: {size: {{ $.Release.Revision }}}
{{- end }}
`,
};

const kubectl = ownCluster();

describe('a helm chart with definitions of its own', () => {
  let chart: string;
  let helm: string;

  beforeAll(async () => {
    chart = mkdtempSync(join(tmpdir(), 'tiphys-boats-'));
    for (const [file, text] of Object.entries(CHART)) {
      mkdirSync(dirname(join(chart, file)), { recursive: true });
      writeFileSync(join(chart, file), text);
    }
    helm = await findTool('helm', { preferNpm: true });
  });
  afterAll(() => rmSync(chart, { recursive: true, force: true }));

  const attempt = (...args: string[]) =>
    run(helm, args, { env: { ...process.env, KUBECONFIG: kubectl.cluster.kubeconfig } });
  const done = async (...args: string[]) => {
    const { code, stdout, stderr } = await attempt(...args);
    expect(code, stderr).toBe(0);
    return stdout;
  };
  const boats = () =>
    kubectl.done(['get', 'boats', '-o=jsonpath={range .items[*]}{.metadata.name}={.spec.size} {end}']);

  test('installs the definitions before their objects, and hooks before both', async () => {
    await done('install', 'fleet', chart, '--wait');
    expect(await boats()).toBe('fleet=1 pre-install=1 ');
    expect(await kubectl.done(['get', 'boat', 'fleet', '-o=jsonpath={.spec.flag} {.spec.sails[0].area}'])).toBe(
      'none 10',
    );
    expect(await done('get', 'manifest', 'fleet')).toContain('kind: Boat');
  });

  test('upgrades by merging what others own, and runs its hooks', async () => {
    const other = '{"apiVersion":"sea.example.com/v1","kind":"Boat","metadata":{"name":"fleet"},"spec":{"flag":"red"}}';
    await kubectl.done(['apply', '--server-side', '--field-manager=painter', '-f', '-'], other);
    await done('upgrade', 'fleet', chart, '--set', 'size=3,second=true', '--wait');
    expect(await boats()).toBe('fleet=3 fleet-second=2 post-upgrade=2 pre-install=1 ');
    expect(await kubectl.done(['get', 'boat', 'fleet', '-o=jsonpath={.spec.flag}'])).toBe('red');
  });

  test('a refused upgrade fails in the server’s words, and changes nothing', async () => {
    const { code, stderr } = await attempt('upgrade', 'fleet', chart, '--set', 'size=0,second=true');
    expect(code).toBe(1);
    expect(stderr).toContain('spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1');
    expect(await kubectl.done(['get', 'boat', 'fleet', '-o=jsonpath={.spec.size}'])).toBe('3');
  });

  test('rolls back, and removes what the older revision did not have', async () => {
    await done('rollback', 'fleet', '1', '--wait');
    expect(await boats()).toBe('fleet=1 post-upgrade=2 pre-install=1 ');
    expect(await done('history', 'fleet')).toMatch(/4\s+.*deployed.*Rollback to 1/);
  });

  test('uninstalls its objects, and leaves the definitions and the hooks’ objects', async () => {
    await done('uninstall', 'fleet', '--wait');
    expect(await boats()).toBe('post-upgrade=2 pre-delete=1 pre-install=1 ');
    expect(await kubectl.done(['get', 'crd', '-o', 'name'])).toContain('boats.sea.example.com');
    await done('install', 'fleet', chart, '--wait');
    expect(await boats()).toContain('fleet=1');
  });
});
