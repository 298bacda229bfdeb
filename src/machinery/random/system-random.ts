import { randomFillSync, randomInt, randomUUID } from 'node:crypto';
import { SUFFIX_ALPHABET } from './alphabet.ts';
import type { Random } from './random.ts';

/** The operating system's randomness. */
export class SystemRandom implements Random {
  bytes(length: number): Uint8Array {
    return randomFillSync(new Uint8Array(length));
  }

  float(): number {
    return Math.random();
  }

  int(limit: number): number {
    return randomInt(limit);
  }

  uuid(): string {
    return randomUUID();
  }

  suffix(length: number): string {
    let text = '';
    for (const byte of this.bytes(length)) text += SUFFIX_ALPHABET[byte % SUFFIX_ALPHABET.length];
    return text;
  }
}
