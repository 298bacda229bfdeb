import type { ConfigMap, Container, EnvFromSource, EnvVar, Pod, Secret, Service } from '#api/generated/types.ts';
import { containerSpec, podNamespace } from '../pod/pod.ts';
import { ContainerConfigError } from './errors.ts';
import { expandVariables } from './expansion.ts';
import { fieldValue, type NodeAllocatable, type PodAddresses, resourceValue } from './field-ref.ts';
import { serviceVariables } from './service-variables.ts';

/** Objects that a pod's spec names. Undefined: there is no such object. Other failures are thrown. */
export interface ReferencedObjects {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
  /** The services that a pod's variables may name: its namespace's, and `default/kubernetes`. */
  services(namespace: string): Promise<readonly Service[]>;
}

export interface EnvironmentInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly objects: ReferencedObjects;
  readonly addresses: PodAddresses;
  readonly node: NodeAllocatable;
  /** Reads a file of an emptyDir volume, for `fileKeyRef`. */
  readonly readVolumeFile?: (volume: string, path: string) => Promise<string | undefined>;
}

/** The container's variables from all sources. Throws a `ContainerConfigError` where one cannot be had. */
export async function containerEnvironment(input: EnvironmentInput): Promise<Map<string, string>> {
  const { pod, container, objects } = input;
  const fromServices = serviceVariables(await objects.services(podNamespace(pod)), {
    namespace: podNamespace(pod),
    isLinked: pod.spec.enableServiceLinks ?? true,
  });
  const own = new Map<string, string>();
  for (const source of container.envFrom ?? []) await addSource(input, source, own);
  for (const variable of container.env ?? []) {
    const value = await variableValue(input, variable, (name) => own.get(name) ?? fromServices.get(name));
    if (value !== undefined) own.set(variable.name, value);
  }
  for (const [name, value] of fromServices) if (!own.has(name)) own.set(name, value);
  return own;
}

async function addSource(input: EnvironmentInput, source: EnvFromSource, into: Map<string, string>): Promise<void> {
  const namespace = podNamespace(input.pod);
  const prefix = source.prefix ?? '';
  if (source.configMapRef !== undefined) {
    const name = source.configMapRef.name ?? '';
    const found = await input.objects.configMap(namespace, name);
    if (found === undefined && source.configMapRef.optional !== true) throw missing('configmap', name);
    for (const [key, value] of Object.entries(found?.data ?? {})) into.set(prefix + key, value);
  }
  if (source.secretRef !== undefined) {
    const name = source.secretRef.name ?? '';
    const found = await input.objects.secret(namespace, name);
    if (found === undefined && source.secretRef.optional !== true) throw missing('secret', name);
    for (const [key, value] of Object.entries(found?.data ?? {})) into.set(prefix + key, decodeBase64(value));
  }
}

async function variableValue(
  input: EnvironmentInput,
  variable: EnvVar,
  lookup: (name: string) => string | undefined,
): Promise<string | undefined> {
  if (variable.value !== undefined && variable.value !== '') return expandVariables(variable.value, lookup);
  const from = variable.valueFrom;
  if (from === undefined) return '';
  if (from.fieldRef !== undefined) return fieldValue(input.pod, from.fieldRef, input.addresses);
  if (from.resourceFieldRef !== undefined) {
    const name = from.resourceFieldRef.containerName ?? input.container.name;
    const container = containerSpec(input.pod, name === '' ? input.container.name : name);
    if (container === undefined) throw new ContainerConfigError(`container ${name} not found`);
    return resourceValue(container, from.resourceFieldRef, input.node);
  }
  if (from.configMapKeyRef !== undefined) return configMapKey(input, from.configMapKeyRef);
  if (from.secretKeyRef !== undefined) return secretKey(input, from.secretKeyRef);
  return from.fileKeyRef === undefined ? '' : fileKey(input, from.fileKeyRef);
}

async function configMapKey(
  input: EnvironmentInput,
  ref: { name?: string; key: string; optional?: boolean },
): Promise<string | undefined> {
  const namespace = podNamespace(input.pod);
  const name = ref.name ?? '';
  const found = await input.objects.configMap(namespace, name);
  if (found === undefined) {
    if (ref.optional === true) return undefined;
    throw missing('configmap', name);
  }
  const value = found.data?.[ref.key];
  if (value !== undefined) return value;
  if (ref.optional === true) return undefined;
  throw new ContainerConfigError(`couldn't find key ${ref.key} in ConfigMap ${namespace}/${name}`);
}

async function secretKey(
  input: EnvironmentInput,
  ref: { name?: string; key: string; optional?: boolean },
): Promise<string | undefined> {
  const namespace = podNamespace(input.pod);
  const name = ref.name ?? '';
  const found = await input.objects.secret(namespace, name);
  if (found === undefined) {
    if (ref.optional === true) return undefined;
    throw missing('secret', name);
  }
  const value = found.data?.[ref.key];
  if (value !== undefined) return decodeBase64(value);
  if (ref.optional === true) return undefined;
  throw new ContainerConfigError(`couldn't find key ${ref.key} in Secret ${namespace}/${name}`);
}

async function fileKey(
  input: EnvironmentInput,
  ref: { volumeName: string; path: string; key: string; optional?: boolean },
): Promise<string | undefined> {
  const text = await input.readVolumeFile?.(ref.volumeName, ref.path);
  for (const line of (text ?? '').split('\n')) {
    const match = /^\s*([^#=\s][^=]*)=(.*)$/.exec(line);
    if (match?.[1]?.trim() === ref.key) return unquoted(match[2] ?? '');
  }
  if (ref.optional === true) return undefined;
  throw new ContainerConfigError(`environment variable key "${ref.key}" not found in file "${ref.path}"`);
}

function unquoted(text: string): string {
  const match = /^(['"])(.*)\1$/.exec(text.trim());
  return match === null ? text : (match[2] ?? '');
}

function missing(kind: string, name: string): ContainerConfigError {
  return new ContainerConfigError(`${kind} "${name}" not found`);
}

function decodeBase64(text: string): string {
  return Buffer.from(text, 'base64').toString();
}
