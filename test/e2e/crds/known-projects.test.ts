import { describe, expect, test } from 'vitest';
import { FIXTURES, manifest, ownCluster } from './support.ts';

const kubectl = ownCluster();
const { done, refused } = kubectl;

const gateway = (name: string, listeners: object[]) =>
  manifest('gateway.networking.k8s.io/v1', 'Gateway', name, { spec: { gatewayClassName: 'ours', listeners } });
const http = { name: 'http', port: 80, protocol: 'HTTP' };

describe('definitions of well-known projects', () => {
  test('are installed client-side and server-side, and unchanged the second time', async () => {
    expect((await done(['apply', '-f', FIXTURES])).match(/ created$/gm)).toHaveLength(8);
    await done(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s']);
    expect((await done(['apply', '-f', FIXTURES])).match(/ unchanged$/gm)).toHaveLength(8);
    expect((await kubectl.run(['diff', '-f', FIXTURES])).stdout).toBe('');
    const applied = await done(['apply', '--server-side', '--field-manager=kubectl', '-f', FIXTURES]);
    expect(applied.match(/ serverside-applied$/gm)).toHaveLength(8);
    const approved = '-o=jsonpath={.status.conditions[?(@.type=="KubernetesAPIApprovalPolicyConformant")].reason}';
    expect(await done(['get', 'crd', 'gateways.gateway.networking.k8s.io', approved])).toBe('ApprovedAnnotation');
  });

  test('Gateway API: columns, categories, defaults, keyed lists and rules over lists', async () => {
    const spec = { controllerName: 'example.com/gateways', description: 'the only one' };
    await done(['apply', '-f', '-'], manifest('gateway.networking.k8s.io/v1', 'GatewayClass', 'ours', { spec }));
    const tls = { name: 'https', port: 443, protocol: 'HTTPS', tls: {} };
    await done(['apply', '-f', '-'], gateway('web', [http, tls]));
    const all = await done(['get', 'gateway-api']);
    expect(all).toMatch(/^gatewayclass\.gateway\.networking\.k8s\.io\/ours\s+example\.com\/gateways\s+Unknown/m);
    expect(all).toMatch(/^NAME\s+CLASS\s+ADDRESS\s+PROGRAMMED$/m);
    const path = '-o=jsonpath={.spec.listeners[1].tls.mode} {.spec.listeners[0].allowedRoutes.namespaces.from}';
    expect(await done(['get', 'gtw', 'web', path])).toBe('Terminate Same');
    const immutable = ['patch', 'gc', 'ours', '--type=merge', '-p', '{"spec":{"controllerName":"example.com/new"}}'];
    expect(await refused(immutable)).toContain(
      'The GatewayClass "ours" is invalid: spec.controllerName: Invalid value: "example.com/new": Value is immutable',
    );
    const wrong = await refused(['create', '-f', '-'], gateway('wrong', [http, { ...http, tls: {} }]));
    expect(wrong).toContain('* spec.listeners[1]: Duplicate value: {"name":"http"}');
    expect(wrong).toContain(
      "* spec.listeners: Invalid value: tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
    );
    expect(wrong).toContain('Combination of port, protocol and hostname must be unique for each listener');
    const port = await refused(['create', '-f', '-'], gateway('wrong', [{ ...http, port: 70_000 }]));
    expect(port).toContain(
      'spec.listeners[0].port: Invalid value: 70000: spec.listeners[0].port in body should be less than or equal to 65535',
    );
  });

  test('Gateway API: server-side apply shares listeners by their names', async () => {
    const apply = (manager: string, listeners: object[]) =>
      done(['apply', '--server-side', `--field-manager=${manager}`, '-f', '-'], gateway('shared', listeners));
    await apply('one', [http]);
    await apply('two', [{ name: 'tcp', port: 9000, protocol: 'TCP' }]);
    const names = '-o=jsonpath={.spec.listeners[*].name}';
    expect(await done(['get', 'gtw', 'shared', names])).toBe('http tcp');
    const conflict = await refused(
      ['apply', '--server-side', '--field-manager=two', '-f', '-'],
      gateway('shared', [{ ...http, port: 81 }]),
    );
    expect(conflict).toContain('Apply failed with 1 conflict: conflict with "one": .spec.listeners[name="http"].port');
    await apply('one', [{ name: 'other', port: 82, protocol: 'HTTP' }]);
    expect(await done(['get', 'gtw', 'shared', names])).toBe('tcp other');
  });

  test('cert-manager: status, columns, enumerations, selectable fields and explain', async () => {
    const spec = { secretName: 'web-tls', issuerRef: { name: 'ca', kind: 'ClusterIssuer' }, dnsNames: ['example.com'] };
    const certificate = (name: string, more: object = {}) =>
      manifest('cert-manager.io/v1', 'Certificate', name, { spec: { ...spec, ...more } });
    await done(['create', '-f', '-'], certificate('web') + certificate('api', { secretName: 'api-tls' }));
    const status = { conditions: [{ type: 'Ready', status: 'True' }], notAfter: '2027-01-01T00:00:00Z' };
    await done(['patch', 'cert', 'web', '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })]);
    await done(['wait', '--for=condition=Ready', 'cert/web', '--timeout=10s']);
    expect(await done(['get', 'certs', '-o', 'wide'])).toMatch(/^web\s+True\s+web-tls\s+ca\s+\d+s$/m);
    const selector = '--field-selector=spec.secretName=api-tls,spec.issuerRef.name=ca';
    expect(await done(['get', 'certificates', selector, '-o', 'name'])).toBe('certificate.cert-manager.io/api\n');
    expect(await done(['explain', 'cert.spec.privateKey.algorithm'])).toContain('ENUM:\n    RSA\n    ECDSA');
    expect(await done(['explain', 'cert', '--recursive'])).toContain('rotationPolicy\t<string>');
    expect(await refused(['create', '-f', '-'], certificate('bad', { privateKey: { algorithm: 'DSA' } }))).toContain(
      'spec.privateKey.algorithm: Unsupported value: "DSA": supported values: "RSA", "ECDSA", "Ed25519"',
    );
    expect(await refused(['create', '-f', '-'], certificate('bad', { issuerRef: {}, secretName: null }))).toMatch(
      /spec\.issuerRef\.name: Required value\n\* spec\.secretName: Required value/,
    );
  });

  test('Argo Rollouts: scale, embedded resources, numbers or strings, and kept unknown fields', async () => {
    const rollout = (spec: object) => manifest('argoproj.io/v1alpha1', 'Rollout', 'web', { spec });
    const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', some: 'thing' }] } };
    const spec = { replicas: 2, template, strategy: { canary: { maxSurge: '25%', steps: [{ setWeight: 20 }] } } };
    const embedded = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'inner' }, spec: { any: 1 } };
    await done(['apply', '-f', '-'], rollout({ ...spec, manifest: embedded }));
    await done(['scale', 'rollout/web', '--replicas=4', '--current-replicas=2']);
    expect(
      await done(['get', 'ro', 'web', '-o=jsonpath={.spec.replicas} {.spec.template.spec.containers[0].some}']),
    ).toBe('4 thing');
    const autoscale = ['autoscale', 'rollout/web', '--min=1', '--max=5', '--cpu=50%'];
    expect(await done(autoscale)).toContain('horizontalpodautoscaler.autoscaling/web autoscaled');
    const noKind = await refused(['apply', '-f', '-'], rollout({ manifest: { metadata: {} } }));
    expect(noKind).toContain('spec.manifest.kind: Required value');
    const surge = await refused(['apply', '-f', '-'], rollout({ strategy: { canary: { maxSurge: true } } }));
    expect(surge).toContain('spec.strategy.canary.maxSurge in body must be of type integer,string: "boolean"');
  });

  test('Prometheus operator: patterns, sets, and what kubectl may not patch', async () => {
    const monitor = (spec: object) =>
      manifest('monitoring.coreos.com/v1', 'ServiceMonitor', 'web', {
        spec: { selector: {}, endpoints: [{ port: 'web', interval: '30s' }], ...spec },
      });
    await done(['apply', '-f', '-'], monitor({ scrapeProtocols: ['PrometheusText0.0.4'] }));
    expect(await refused(['apply', '-f', '-'], monitor({ endpoints: [{ interval: '30 s' }] }))).toContain(
      'spec.endpoints[0].interval: Invalid value: "30 s": spec.endpoints[0].interval in body should match',
    );
    expect(
      await refused(['apply', '-f', '-'], monitor({ scrapeProtocols: ['PrometheusProto', 'PrometheusProto'] })),
    ).toContain('spec.scrapeProtocols[1]: Duplicate value: "PrometheusProto"');
    expect(await refused(['patch', 'smon', 'web', '-p', '{}'])).toContain(
      'strategic-merge-patch+json is not supported',
    );
    expect(await refused(['apply', '-f', '-'], monitor({ jobLable: 'x' }))).toContain('unknown field "spec.jobLable"');
  });

  test('Istio and KEDA: one of several, versions, transition rules, paths and reasons of rules', async () => {
    const deprecated =
      'Warning: networking.istio.io/v1beta1 VirtualService is deprecated; use networking.istio.io/v1 VirtualService';
    const service = (version: string, match: object, timeout = '5s') =>
      manifest(`networking.istio.io/${version}`, 'VirtualService', 'web', {
        spec: { hosts: ['web'], http: [{ match: [{ uri: match }], timeout }] },
      });
    await done(['apply', '-f', '-'], service('v1beta1', { prefix: '/' }), deprecated);
    expect(await done(['get', 'vs', 'web', '-o=jsonpath={.apiVersion}'])).toBe('networking.istio.io/v1');
    const wrong = await refused(['apply', '-f', '-'], service('v1', { prefix: '/', exact: '/' }, '0s'));
    expect(wrong).toContain('"spec.http[0].match[0].uri" must validate one and only one schema (oneOf). Found 2');
    expect(wrong).toContain('spec.http[0].timeout: Invalid value: "0s": must be a valid duration greater than 1ms');

    const scaled = (spec: object, target = 'web') =>
      manifest('keda.sh/v1alpha1', 'ScaledObject', 'web', {
        spec: { scaleTargetRef: { name: target }, triggers: [], ...spec },
      });
    await done(['apply', '-f', '-'], scaled({ maxReplicaCount: 3 }));
    expect(await done(['get', 'so', 'web', '-o=jsonpath={.spec.pollingInterval} {.spec.scaleTargetRef.kind}'])).toBe(
      '30 Deployment',
    );
    expect(await refused(['apply', '-f', '-'], scaled({ minReplicaCount: 5, maxReplicaCount: 3 }))).toContain(
      'spec.minReplicaCount: Forbidden: the least count for web is above the most',
    );
    expect(await refused(['apply', '-f', '-'], scaled({}, 'other'))).toContain('the target stays the same');
  });

  test('go with their objects', async () => {
    await done(['delete', '-f', FIXTURES, '--timeout=60s']);
    expect(await done(['get', 'crd', '-o', 'name'])).toBe('');
    expect(await done(['api-resources', '--api-group=gateway.networking.k8s.io', '-o', 'name'])).toBe('');
  });
});
