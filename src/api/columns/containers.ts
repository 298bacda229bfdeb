import type { PodSpec } from '../generated/types.ts';
import { column } from './common.ts';
import type { KindColumn } from '../registry/kind.ts';
import type { KubeObject, LabelSelector } from '#machinery/meta/types.ts';
import { formatLabelSelector } from './selector.ts';

/** The wide columns that all kinds with a pod template share. */
export function containerColumns<T extends KubeObject>(podSpec: (object: T) => PodSpec | undefined): KindColumn<T>[] {
  return [
    column('Containers', 'Names of each container in the template.', (object) => names(podSpec(object)), {
      wide: true,
    }),
    column('Images', 'Images referenced by each container in the template.', (object) => images(podSpec(object)), {
      wide: true,
    }),
  ];
}

export function selectorColumn<T extends KubeObject>(
  description: string,
  selector: (object: T) => LabelSelector | undefined,
): KindColumn<T> {
  return column('Selector', description, (object) => formatLabelSelector(selector(object)), { wide: true });
}

function names(spec: PodSpec | undefined): string {
  return (spec?.containers ?? []).map((container) => container.name).join(',');
}

function images(spec: PodSpec | undefined): string {
  return (spec?.containers ?? []).map((container) => container.image ?? '').join(',');
}
