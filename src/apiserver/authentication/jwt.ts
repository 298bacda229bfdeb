import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';

/** The three signature forms of RFC 7518 and RFC 8037 that this project signs or verifies with. */
export type JwtAlgorithm = 'ES256' | 'RS256' | 'EdDSA';

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly verification: VerificationKey;
}

export interface VerificationKey {
  readonly publicKey: KeyObject;
  readonly algorithm: JwtAlgorithm;
  /** Names the key in a token's head: SHA-256 of its DER form, as upstream computes it. */
  readonly id: string;
}

/** PKCS #8 header of an Ed25519 seed (RFC 8410). */
const ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export function signingKey(privateKeyPem: string): SigningKey {
  return fromPrivateKey(createPrivateKey(privateKeyPem));
}

/** A key that follows from 32 bytes, whose signatures do too: for clusters that are replayed from a seed. */
export function seededSigningKey(seed: Uint8Array): SigningKey {
  if (seed.length !== 32) throw new RangeError('an Ed25519 seed has 32 bytes');
  return fromPrivateKey(createPrivateKey({ key: Buffer.concat([ED25519_PREFIX, seed]), format: 'der', type: 'pkcs8' }));
}

export function verificationKey(publicKeyPem: string): VerificationKey {
  return describe(createPublicKey(publicKeyPem));
}

export function signJwt(claims: object, key: SigningKey): string {
  const { algorithm, id } = key.verification;
  const content = `${encode({ alg: algorithm, kid: id })}.${encode(claims)}`;
  const hash = algorithm === 'EdDSA' ? null : 'sha256';
  const signature = sign(hash, Buffer.from(content), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${content}.${signature.toString('base64url')}`;
}

/** The claims of a token that one of the keys signed; `undefined` where none did or it is no token. */
export function verifyJwt(token: string, keys: readonly VerificationKey[]): Record<string, unknown> | undefined {
  const parts = token.split('.');
  const [head, body, signature] = parts;
  if (parts.length !== 3 || head === undefined || body === undefined || signature === undefined) return undefined;
  const header = decode(head);
  const data = Buffer.from(`${head}.${body}`);
  const signatureBytes = Buffer.from(signature, 'base64url');
  const key = keys.find((candidate) => {
    if (candidate.algorithm !== header?.['alg']) return false;
    if (header['kid'] !== undefined && header['kid'] !== candidate.id) return false;
    const hash = candidate.algorithm === 'EdDSA' ? null : 'sha256';
    return verify(hash, data, { key: candidate.publicKey, dsaEncoding: 'ieee-p1363' }, signatureBytes);
  });
  return key === undefined ? undefined : decode(body);
}

/** A token's claims without looking at its signature: to choose who may verify it. */
export function unverifiedClaims(token: string): Record<string, unknown> | undefined {
  const parts = token.split('.');
  return parts.length === 3 && parts[1] !== undefined ? decode(parts[1]) : undefined;
}

/** The key as a member of a JSON Web Key Set. */
export function toJwk(key: VerificationKey): Record<string, unknown> {
  return { use: 'sig', ...key.publicKey.export({ format: 'jwk' }), kid: key.id, alg: key.algorithm };
}

function fromPrivateKey(privateKey: KeyObject): SigningKey {
  return { privateKey, verification: describe(createPublicKey(privateKey)) };
}

function describe(publicKey: KeyObject): VerificationKey {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return { publicKey, algorithm: algorithmOf(publicKey), id: createHash('sha256').update(der).digest('base64url') };
}

function algorithmOf(key: KeyObject): JwtAlgorithm {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType === 'rsa') return 'RS256';
  if (key.asymmetricKeyType === 'ed25519') return 'EdDSA';
  if (key.asymmetricKeyType === 'ec' && (curve === 'prime256v1' || curve === 'P-256')) return 'ES256';
  throw new RangeError(`keys of type ${key.asymmetricKeyType ?? 'unknown'} cannot sign tokens`);
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    // Safe: checked to be a JSON object.
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    // Not JSON: not a token.
    return undefined;
  }
}
