import type { Random } from '#machinery/random/random.ts';
import type { ImageService, PullOptions, RuntimeStatus } from './contract.ts';

/** What runtimes have in common that live in this process: no daemon to wait for, and images of their own. */
export abstract class LocalRuntime implements ImageService {
  readonly #imageService: ImageService;

  constructor(imageService: ImageService) {
    this.#imageService = imageService;
  }

  status(): Promise<RuntimeStatus> {
    return Promise.resolve({
      conditions: ['RuntimeReady', 'NetworkReady'].map((type) => ({ type, status: true, reason: '', message: '' })),
    });
  }

  imageStatus(image: string) {
    return this.#imageService.imageStatus(image);
  }

  listImages() {
    return this.#imageService.listImages();
  }

  pullImage(image: string, options: PullOptions) {
    return this.#imageService.pullImage(image, options);
  }

  removeImage(imageId: string) {
    return this.#imageService.removeImage(imageId);
  }

  imageFsInfo() {
    return this.#imageService.imageFsInfo();
  }
}

/** An id of a sandbox or container as container runtimes make them: 64 hexadecimal digits. */
export function newRuntimeId(random: Random): string {
  return Buffer.from(random.bytes(32)).toString('hex');
}

/** Whether `labels` has all that a listing asks for. */
export function hasLabels(labels: Readonly<Record<string, string>>, wanted: Record<string, string> = {}): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}
