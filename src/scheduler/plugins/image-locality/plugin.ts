import { MAX_SCORE, type Plugin } from '../../framework/plugin.ts';

const MEGABYTE = 1024 * 1024;
/** Less than this on the node is not worth a preference. */
const MIN_BYTES = 23 * MEGABYTE;
/** More than this a container does not count for more. */
const MAX_BYTES_PER_CONTAINER = 1000 * MEGABYTE;

/** Prefers nodes that have the pod's images already; images that few nodes have count less, against crowding. */
export const imageLocality: Plugin = {
  name: 'ImageLocality',
  prepareScore: ({ pod, snapshot }) => {
    const containers = [...pod.pod.spec.containers, ...(pod.pod.spec.initContainers ?? [])];
    const total = snapshot.nodes.length;
    const images = containers
      .map((container) => normalizedName(container.image ?? ''))
      .map((name) => ({ name, spread: snapshot.imageNodeCount(name) / total }))
      .filter(({ spread }) => spread > 0);
    if (images.length === 0) return undefined;
    const maxBytes = MAX_BYTES_PER_CONTAINER * containers.length;
    return {
      score: (node) => {
        let bytes = 0;
        for (const { name, spread } of images) bytes += Math.floor((node.images.get(name) ?? 0) * spread);
        const counted = Math.min(maxBytes, Math.max(MIN_BYTES, bytes));
        return Math.floor((MAX_SCORE * (counted - MIN_BYTES)) / (maxBytes - MIN_BYTES));
      },
    };
  },
};

/** An image without a tag is its `latest`. */
function normalizedName(image: string): string {
  return image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image;
}
