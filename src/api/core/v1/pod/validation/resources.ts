import {
  duplicateValue,
  forbiddenValue,
  invalidValue,
  notFoundValue,
  notSupported,
  required,
} from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isQuantity, parseQuantity } from '#machinery/quantity/quantity.ts';
import { isDns1123Label, isQualifiedName } from '#machinery/validation/names.ts';
import type { Container, EphemeralContainer, PodSpec } from '../../../../generated/types.ts';
import { checkMessages, type FieldErrors, NOT_NEGATIVE, withDetail } from '../../../../validation/basics.ts';
import { aggregateContainerRequests } from '../requests.ts';

type ResourceList = Readonly<Record<string, string>>;

const standardNames = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** Names without a domain that mean something somewhere in the API, quotas included. */
const knownNames = new Set([
  ...standardNames,
  'storage',
  'requests.cpu',
  'requests.memory',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'persistentvolumeclaims',
  'configmaps',
  'services.nodeports',
  'services.loadbalancers',
  'requests.storage',
]);

export function isHugePages(name: string): boolean {
  return name.startsWith('hugepages-');
}

/** The same, and what quotas call requests for them. */
function isQuotaHugePages(name: string): boolean {
  return isHugePages(name) || name.startsWith('requests.hugepages-');
}

/** Names of Kubernetes' own resources: without a domain, or in `kubernetes.io/`. */
export function isNativeResource(name: string): boolean {
  return !name.includes('/') || name.includes('kubernetes.io/');
}

/** A node-level resource that a cluster adds, such as `example.com/gpu`. */
export function isExtendedResource(name: string): boolean {
  return !isNativeResource(name) && !name.startsWith('requests.');
}

/** Whether a limit may be higher than its request. */
export function isOvercommitAllowed(name: string): boolean {
  return isNativeResource(name) && !isHugePages(name);
}

export function checkContainerResources(
  container: Container | EphemeralContainer,
  path: FieldPath,
  spec: PodSpec,
  errors: FieldErrors,
): void {
  const { resources } = container;
  if (resources === undefined) return;
  if (resources.limits !== undefined || resources.requests !== undefined) {
    checkRequirements(resources, path, checkContainerResourceName, errors);
  }
  if (resources.claims !== undefined) checkClaims(resources.claims, path.child('claims'), spec, errors);
}

/** The pod's own requests and limits (KEP-2837). */
export function checkPodResources(spec: PodSpec, path: FieldPath, errors: FieldErrors): void {
  if (spec.resources === undefined) return;
  const at = path.child('resources');
  if (spec.resources.claims !== undefined) {
    errors.push(forbiddenValue(at.child('claims'), 'claims cannot be set for Resources at pod-level'));
  }
  checkRequirements(spec.resources, at, checkPodResourceName, errors);
  checkContainersFit(spec, at, errors);
}

/** What containers ask for together, and what each may use, must fit into the pod's own. */
function checkContainersFit(spec: PodSpec, path: FieldPath, errors: FieldErrors): void {
  const requests = spec.resources?.requests ?? {};
  for (const [name, amount] of Object.entries(aggregateContainerRequests(spec))) {
    const own = requests[name] ?? '0';
    if (parseQuantity(amount).compare(parseQuantity(own)) <= 0) continue;
    const detail = `must be greater than or equal to aggregate container requests of ${amount}`;
    errors.push(invalidValue(path.child('requests').key(name), own, detail));
  }
  const limits = spec.resources?.limits ?? {};
  for (const [index, container] of spec.containers.entries()) {
    for (const [name, limit] of Object.entries(container.resources?.limits ?? {})) {
      const own = limits[name];
      if (own === undefined || parseQuantity(limit).compare(parseQuantity(own)) <= 0) continue;
      const at = path.child('containers').index(index).key(name).child('limits');
      errors.push(invalidValue(at, limit, `must be less than or equal to pod limits of ${own}`));
    }
  }
}

function checkRequirements(
  resources: { limits?: ResourceList; requests?: ResourceList },
  path: FieldPath,
  checkName: (name: string, path: FieldPath, errors: FieldErrors) => void,
  errors: FieldErrors,
): void {
  const limits = resources.limits ?? {};
  const requests = resources.requests ?? {};
  let hasHugePages = false;
  const limitsPath = path.child('limits');
  const requestsPath = path.child('requests');
  for (const name in limits) {
    const at = limitsPath.key(name);
    checkName(name, at, errors);
    checkQuantity(name, limits[name] ?? '0', at, errors);
    hasHugePages ||= isHugePages(name);
    if (isHugePages(name)) checkPageMultiple(name, limits[name] ?? '0', at, errors);
  }
  for (const name in requests) {
    const request = requests[name] ?? '0';
    const at = requestsPath.key(name);
    checkName(name, at, errors);
    checkQuantity(name, request, at, errors);
    hasHugePages ||= isHugePages(name);
    if (isHugePages(name)) checkPageMultiple(name, request, at, errors);
    const limit = limits[name];
    if (limit !== undefined) checkAgainstLimit({ name, request, limit }, requestsPath, errors);
    else if (!isOvercommitAllowed(name)) {
      errors.push(required(limitsPath, 'Limit must be set for non overcommitable resources'));
    }
  }
  const hasCompute = [limits, requests].some((list) => list['cpu'] !== undefined || list['memory'] !== undefined);
  if (hasHugePages && !hasCompute) errors.push(forbiddenValue(path, 'HugePages require cpu or memory'));
}

function checkAgainstLimit(
  { name, request, limit }: { name: string; request: string; limit: string },
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (request === limit) return;
  const order = parseQuantity(request).compare(parseQuantity(limit));
  if (order !== 0 && !isOvercommitAllowed(name)) {
    errors.push(invalidValue(path, request, `must be equal to ${name} limit of ${limit}`));
  } else if (order > 0) {
    errors.push(invalidValue(path, request, `must be less than or equal to ${name} limit of ${limit}`));
  }
}

/** A whole number of pages of the size in the name. */
function checkPageMultiple(name: string, text: string, path: FieldPath, errors: FieldErrors): void {
  const size = name.slice('hugepages-'.length);
  if (!isQuantity(size)) return;
  const page = parseQuantity(size).nanos;
  if (page > 0n && parseQuantity(text).nanos % page === 0n) return;
  errors.push(invalidValue(path, text, `${text} is not positive integer multiple of ${name}`));
}

/** The name of any resource: qualified, or one that Kubernetes knows. */
export function checkResourceName(name: string, path: FieldPath, errors: FieldErrors): void {
  if (knownNames.has(name)) return;
  const messages = isQualifiedName(name);
  checkMessages(messages, name, path, errors);
  if (messages.length === 0 && !name.includes('/') && !isQuotaHugePages(name)) {
    errors.push(invalidValue(path, name, 'must be a standard resource type or fully qualified'));
  }
}

export function checkContainerResourceName(name: string, path: FieldPath, errors: FieldErrors): void {
  if (standardNames.has(name)) return;
  checkResourceName(name, path, errors);
  if (!name.includes('/')) {
    if (!isHugePages(name)) errors.push(invalidValue(path, name, 'must be a standard resource for containers'));
  } else if (
    !isNativeResource(name) &&
    (name.startsWith('requests.') || isQualifiedName(`requests.${name}`).length > 0)
  ) {
    errors.push(invalidValue(path, name, "doesn't follow extended resource name standard"));
  }
}

function checkPodResourceName(name: string, path: FieldPath, errors: FieldErrors): void {
  if (name === 'cpu' || name === 'memory' || isHugePages(name)) return;
  const before = errors.length;
  checkResourceName(name, path, errors);
  if (errors.length === before) errors.push(notSupported(path, name, ['cpu', 'hugepages-', 'memory']));
}

/** Objects are counted; so are a cluster's own resources. */
function isIntegerResource(name: string): boolean {
  return countedNames.has(name) || isExtendedResource(name);
}

const countedNames = new Set([
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
]);

/** Amounts that passed once: quantities repeat from object to object. Bounded against hostile input. */
const goodQuantities = new Set<string>();
const GOOD_QUANTITIES_MAX = 4096;

export function checkQuantity(name: string, text: string, path: FieldPath, errors: FieldErrors): void {
  const isInteger = isIntegerResource(name);
  const key = isInteger ? `${text}#` : text;
  if (goodQuantities.has(key)) return;
  const quantity = parseQuantity(text);
  const before = errors.length;
  if (text.startsWith('-') && !quantity.isZero) errors.push(invalidValue(path, text, NOT_NEGATIVE));
  if (isInteger && quantity.milliValue() % 1000 !== 0) errors.push(invalidValue(path, text, 'must be an integer'));
  if (errors.length !== before) return;
  if (goodQuantities.size >= GOOD_QUANTITIES_MAX) goodQuantities.clear();
  goodQuantities.add(key);
}

/** A list of amounts without limits to compare to, such as a pod's overhead. */
export function checkResourceList(list: ResourceList, path: FieldPath, errors: FieldErrors): void {
  for (const name in list) {
    const at = path.key(name);
    checkContainerResourceName(name, at, errors);
    checkQuantity(name, list[name] ?? '0', at, errors);
  }
}

function checkClaims(
  claims: readonly { name: string; request?: string }[],
  path: FieldPath,
  spec: PodSpec,
  errors: FieldErrors,
): void {
  const known = (spec.resourceClaims ?? []).map(({ name }) => name).filter((name) => (name ?? '') !== '');
  const seen = new Set<string>();
  for (const [index, { name = '', request = '' }] of claims.entries()) {
    const at = path.index(index);
    if (name === '') {
      errors.push(required(at, ''));
      continue;
    }
    const key = request === '' ? name : `${name}/${request}`;
    if (seen.has(name)) errors.push(duplicateValue(at, name));
    else {
      if (request !== '') checkMessages(isDns1123Label(request), request, at.child('request'), errors);
      if (seen.has(key)) errors.push(duplicateValue(at, key));
      else if (request === '') {
        for (const other of seen) if (other.startsWith(`${name}/`)) errors.push(duplicateValue(at, name));
      }
      seen.add(key);
    }
    if (known.includes(name)) continue;
    const list = known.length === 0 ? ' which is empty' : `: ${known.toSorted().join(', ')}`;
    errors.push(withDetail(notFoundValue(at, name), `must be one of the names in pod.spec.resourceClaims${list}`));
  }
}
