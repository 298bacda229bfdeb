import type { Container, Pod, PodSpec, PodTemplateSpec } from '../../../generated/types.ts';

/** Warnings for a pod, as upstream's strategy gives them on create and update. */
export function podWarnings(pod: Pod): string[] {
  return specWarnings(pod.spec, 'spec');
}

/** The same for a template, at its path. */
export function templateWarnings(template: PodTemplateSpec | undefined, path = 'spec.template'): string[] {
  return template?.spec === undefined ? [] : specWarnings(template.spec, `${path}.spec`);
}

function specWarnings(spec: PodSpec, path: string): string[] {
  const warnings: string[] = [];
  for (const [list, containers] of [
    ['initContainers', spec.initContainers ?? []],
    ['containers', spec.containers],
  ] as const) {
    for (const [index, container] of containers.entries()) {
      warnings.push(...containerWarnings(container, `${path}.${list}[${index}]`));
    }
  }
  if (spec.terminationGracePeriodSeconds !== undefined && spec.terminationGracePeriodSeconds < 0) {
    warnings.push(
      `${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
    );
  }
  return warnings;
}

function containerWarnings(container: Container, path: string): string[] {
  const warnings: string[] = [];
  const names = new Map<string, string>();
  for (const [index, variable] of (container.env ?? []).entries()) {
    if (names.has(variable.name)) {
      warnings.push(
        `${path}.env[${index}]: hides previous definition of ${JSON.stringify(variable.name)}, which may be dropped when using apply`,
      );
    }
    names.set(variable.name, path);
  }
  const ports = new Map<string, number>();
  for (const [index, port] of (container.ports ?? []).entries()) {
    const key = `${port.containerPort}/${port.protocol ?? 'TCP'}`;
    const first = ports.get(key);
    if (first !== undefined && (port.hostPort ?? 0) === 0) {
      warnings.push(`${path}.ports[${index}]: duplicate port definition with ${path}.ports[${first}]`);
    }
    if (first === undefined) ports.set(key, index);
  }
  return warnings;
}
