import { invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isQualifiedName } from '#machinery/validation/names.ts';
import type { ObjectFieldSelector, ResourceFieldSelector } from '../../../../generated/types.ts';
import { checkMessages, type FieldErrors } from '../../../../validation/basics.ts';

/** Pod fields that an environment variable may show, sorted as messages list them. */
export const envFieldPaths = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
] as const;

/** Pod fields that a file of a downward API volume may show. */
export const volumeFieldPaths = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
] as const;

/** Every pod field that has a label, which is what a reference is converted through. */
const knownFieldPaths = new Set<string>([
  ...envFieldPaths,
  ...volumeFieldPaths,
  'spec.hostNetwork',
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.nominatedNodeName',
  'status.phase',
]);

const resourceNames = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const byteDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];

export function checkObjectFieldRef(
  ref: ObjectFieldSelector,
  supported: readonly string[],
  path: FieldPath,
  errors: FieldErrors,
): void {
  if ((ref.apiVersion ?? '') === '') {
    errors.push(required(path.child('apiVersion'), ''));
    return;
  }
  const fieldPath = ref.fieldPath ?? '';
  const at = path.child('fieldPath');
  if (fieldPath === '') {
    errors.push(required(at, ''));
    return;
  }
  const subscript = /^(metadata\.(?:annotations|labels))\['(.*)'\]$/.exec(fieldPath);
  if (subscript !== null) {
    const key = subscript[2] ?? '';
    // Annotation keys are compared in lower case.
    const name = subscript[1] === 'metadata.annotations' ? key.toLowerCase() : key;
    checkMessages(isQualifiedName(name), name, path, errors);
  } else if (!knownFieldPaths.has(fieldPath)) {
    errors.push(invalidValue(at, fieldPath, `error converting fieldPath: field label not supported: ${fieldPath}`));
  } else if (!supported.includes(fieldPath)) {
    errors.push(notSupported(at, fieldPath, supported));
  }
}

export function checkResourceFieldRef(
  ref: ResourceFieldSelector,
  options: { path: FieldPath; needsContainer: boolean; errors: FieldErrors },
): void {
  const { path, needsContainer, errors } = options;
  if (needsContainer && (ref.containerName ?? '') === '') {
    errors.push(required(path.child('containerName'), ''));
  } else if ((ref.resource ?? '') === '') {
    errors.push(required(path.child('resource'), ''));
  } else if (!resourceNames.includes(ref.resource) && !/^(limits|requests)\.hugepages-/.test(ref.resource)) {
    errors.push(notSupported(path.child('resource'), ref.resource, resourceNames));
  }
  checkDivisor(ref, path.child('divisor'), errors);
}

const divisorNames: Readonly<Record<string, string>> = {
  memory: 'memory',
  'ephemeral-storage': 'local ephemeral storage',
};

function checkDivisor(ref: ResourceFieldSelector, path: FieldPath, errors: FieldErrors): void {
  const divisor = ref.divisor ?? '0';
  if (divisor === '0') return;
  const whole = ref.resource ?? '';
  const resource = whole.replace(/^(limits|requests)\./, '');
  if (resource === 'cpu') {
    if (divisor !== '1m' && divisor !== '1') {
      errors.push(invalidValue(path, whole, "only divisor's values 1m and 1 are supported with the cpu resource"));
    }
  } else if (!byteDivisors.includes(divisor)) {
    const name = divisorNames[resource] ?? (resource.startsWith('hugepages-') ? 'hugepages' : undefined);
    if (name === undefined) return;
    const detail = `only divisor's values ${byteDivisors.join(', ')} are supported with the ${name} resource`;
    errors.push(invalidValue(path, whole, detail));
  }
}
