/** The only source of randomness: the operating system's in production, a seeded generator in virtual mode. */
export interface Random {
  /** `length` random bytes. */
  bytes(length: number): Uint8Array;
  /** A float in [0, 1). */
  float(): number;
  /** An integer in [0, limit). */
  int(limit: number): number;
  /** A version 4 UUID. */
  uuid(): string;
  /** A suffix as `generateName` appends it: `length` characters of `bcdfghjklmnpqrstvwxz2456789`. */
  suffix(length: number): string;
}
