import { ImageError } from '../../image/errors.ts';
import type { ImageStore, StoredImage } from '../../image/image-store.ts';
import { type Image, type ImageService, type PullOptions, RuntimeError } from '../contract.ts';

/** CRI's calls about images, on a folder of unpacked ones. */
export class ProcessImages implements ImageService {
  readonly store: ImageStore;

  constructor(store: ImageStore) {
    this.store = store;
  }

  async imageStatus(image: string): Promise<Image | undefined> {
    const found = await this.store.find(image);
    return found === undefined ? undefined : imageView(found);
  }

  async listImages(): Promise<Image[]> {
    return (await this.store.list()).map(imageView);
  }

  async pullImage(image: string, options: PullOptions): Promise<string> {
    try {
      return await this.store.pull(image, options.auth === undefined ? {} : { auth: options.auth });
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      throw new RuntimeError(error.code === 'not-found' ? 'NotFound' : 'Unknown', error.message, { cause: error });
    }
  }

  async removeImage(imageId: string): Promise<void> {
    await this.store.remove(imageId);
  }

  async imageFsInfo(): Promise<{ mountpoint: string; usedBytes: number; inodesUsed: number }[]> {
    const usedBytes = (await this.store.list()).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return [{ mountpoint: this.store.directory, usedBytes, inodesUsed: 0 }];
  }
}

/** An image as CRI tells of it. */
function imageView(image: StoredImage): Image {
  const user = image.config.config?.User ?? '';
  const [name = ''] = user.split(':');
  return {
    id: image.id,
    repoTags: image.names,
    repoDigests: image.repoDigests,
    sizeBytes: image.sizeBytes,
    ...(/^\d+$/.test(name) ? { uid: Number(name) } : {}),
    username: /^\d+$/.test(name) ? '' : name,
    pinned: false,
  };
}
