/** A pod of about this many bytes whose name is `NAME`, as JSON. */
export function podTemplate(bytes: number, { isBare }: { isBare: boolean }): string {
  const containers = [
    {
      name: 'main',
      image: 'registry.example/app:1.0',
      args: ['--serve', '--port=8080'],
      ports: [{ containerPort: 8080, name: 'http' }],
      env: [{ name: 'MODE', value: 'bench' }],
      resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
      readinessProbe: { httpGet: { path: '/ready', port: 8080 } },
    },
  ];
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'NAME', labels: { app: 'bench', tier: 'load' }, annotations: { 'bench/padding': '' } },
    // Held back by a gate, so that neither scheduler nor kubelet takes part.
    spec: {
      ...(isBare
        ? { automountServiceAccountToken: false, serviceAccountName: 'default', serviceAccount: 'default' }
        : {}),
      schedulingGates: [{ name: 'bench/held' }],
      containers,
    },
  };
  const padding = Math.max(0, bytes - JSON.stringify(pod).length);
  pod.metadata.annotations['bench/padding'] = 'x'.repeat(padding);
  return JSON.stringify(pod);
}
