import { createHash } from 'node:crypto';
import { type Image, type ImageService, type PullOptions, RuntimeError } from '../contract.ts';
import { behaviourOf } from './behaviour.ts';

const MEBIBYTE = 1024 * 1024;

/** Every image is there as soon as it is asked for, unless a pod's annotations say that its pull fails. */
export class SimulatedImages implements ImageService {
  readonly #images = new Map<string, Image>();

  async imageStatus(image: string): Promise<Image | undefined> {
    return this.#images.get(image) ?? this.#remember(image);
  }

  async listImages(): Promise<Image[]> {
    return [...this.#images.values()];
  }

  async pullImage(image: string, options: PullOptions): Promise<string> {
    const behaviour = behaviourOf(options.sandbox?.annotations ?? {}, '');
    if (behaviour.pullError !== undefined) throw new RuntimeError('NotFound', behaviour.pullError);
    return this.#remember(image).id;
  }

  async removeImage(imageId: string): Promise<void> {
    for (const [name, image] of this.#images) if (image.id === imageId) this.#images.delete(name);
  }

  async imageFsInfo(): Promise<{ mountpoint: string; usedBytes: number; inodesUsed: number }[]> {
    return [];
  }

  #remember(image: string): Image {
    const made = fakeImage(image);
    this.#images.set(image, made);
    return made;
  }
}

/** An image that looks the same each time it is asked for by one name. */
function fakeImage(reference: string): Image {
  const digest = createHash('sha256').update(reference).digest('hex');
  const [withoutDigest = reference] = reference.split('@');
  const repository = withoutDigest.replace(/:[^/:]*$/, '');
  return {
    id: `sha256:${digest}`,
    repoTags: [withoutDigest],
    repoDigests: [`${repository}@sha256:${digest}`],
    sizeBytes: (10 + (Number.parseInt(digest.slice(0, 4), 16) % 90)) * MEBIBYTE,
    username: '',
    pinned: false,
  };
}
