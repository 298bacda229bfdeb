import {
  duplicateValue,
  forbiddenValue,
  invalidValue,
  notFoundValue,
  notSupported,
  required,
} from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { parseQuantity } from '#machinery/quantity/quantity.ts';
import { isQualifiedName } from '#machinery/validation/names.ts';
import type { Container, EphemeralContainer, PodSpec } from '../../../../generated/types.ts';
import { checkMessages, type FieldErrors, NOT_NEGATIVE } from '../../../../validation/basics.ts';

type ResourceList = Readonly<Record<string, string>>;

const standardNames = new Set(['cpu', 'memory', 'ephemeral-storage']);

export function isHugePages(name: string): boolean {
  return name.startsWith('hugepages-');
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
  checkRequirements(spec.resources, at, checkPodResourceName, errors);
  if (spec.resources.claims !== undefined && spec.resources.claims.length > 0) {
    errors.push(forbiddenValue(at.child('claims'), 'claims may not be set for Resources at pod-level'));
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
  }
  for (const name in requests) {
    const request = requests[name] ?? '0';
    const at = requestsPath.key(name);
    checkName(name, at, errors);
    checkQuantity(name, request, at, errors);
    hasHugePages ||= isHugePages(name);
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

function checkContainerResourceName(name: string, path: FieldPath, errors: FieldErrors): void {
  if (standardNames.has(name)) return;
  checkMessages(isQualifiedName(name), name, path, errors);
  if (!name.includes('/')) {
    if (!isHugePages(name)) errors.push(invalidValue(path, name, 'must be a standard resource for containers'));
  } else if (isNativeResource(name)) {
    errors.push(invalidValue(path, name, "doesn't follow extended resource name standard"));
  }
}

function checkPodResourceName(name: string, path: FieldPath, errors: FieldErrors): void {
  if (name === 'cpu' || name === 'memory' || isHugePages(name)) return;
  errors.push(notSupported(path, name, ['cpu', 'hugepages-', 'memory']));
}

/** Amounts that passed once: quantities repeat from object to object. Bounded against hostile input. */
const goodQuantities = new Set<string>();
const GOOD_QUANTITIES_MAX = 4096;

function checkQuantity(name: string, text: string, path: FieldPath, errors: FieldErrors): void {
  const isInteger = isExtendedResource(name);
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
  const known = new Set((spec.resourceClaims ?? []).map((claim) => claim.name));
  const seen = new Set<string>();
  for (const [index, claim] of claims.entries()) {
    const at = path.index(index);
    if ((claim.name ?? '') === '') {
      errors.push(required(at.child('name'), ''));
      continue;
    }
    const key = claim.request === undefined ? claim.name : `${claim.name}/${claim.request}`;
    if (seen.has(key)) errors.push(duplicateValue(at, key));
    seen.add(key);
    if (!known.has(claim.name)) errors.push(notFoundValue(at, claim.name));
  }
}
