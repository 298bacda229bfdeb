/** Labels of Kubernetes' own domains that a kubelet may put on its node. */
const ALLOWED = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.kubernetes.io/region',
  'failure-domain.kubernetes.io/zone',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
]);
const ALLOWED_DOMAINS = ['kubelet.kubernetes.io', 'node.kubernetes.io'];
const RESERVED_DOMAINS = ['kubernetes.io', 'k8s.io'];

/** Those of the labels that only others than the kubelet may set, sorted. */
export function forbiddenLabels(keys: readonly string[]): string[] {
  return keys.filter((key) => !mayBeSetByKubelet(key)).sort();
}

function mayBeSetByKubelet(key: string): boolean {
  const slash = key.indexOf('/');
  const domain = slash < 0 ? '' : key.slice(0, slash);
  if (!RESERVED_DOMAINS.some((reserved) => isWithin(domain, reserved))) return true;
  return ALLOWED.has(key) || ALLOWED_DOMAINS.some((allowed) => isWithin(domain, allowed));
}

function isWithin(domain: string, parent: string): boolean {
  return domain === parent || domain.endsWith(`.${parent}`);
}
