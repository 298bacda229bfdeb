import { createHash } from 'node:crypto';
import type { Image } from '../contract.ts';

const MEBIBYTE = 1024 * 1024;

/** An image that looks the same each time it is asked for by one name. */
export function fakeImage(reference: string): Image {
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
