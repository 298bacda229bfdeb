import { toJwk, type VerificationKey } from '../../authentication/jwt.ts';
import { jsonResponse, type Handler } from '../../pipeline/types.ts';

const CONFIGURATION_PATH = '/.well-known/openid-configuration';
const KEYS_PATH = '/openid/v1/jwks';

/** How others verify this cluster's service-account tokens (OpenID Connect Discovery). */
export function openidHandlers(options: {
  readonly issuer: string;
  readonly keys: readonly VerificationKey[];
  /** `https://HOST:PORT` under which the key set is reachable. */
  readonly externalUrl: () => string;
}): Map<string, Handler> {
  const keySet = { keys: options.keys.map(toJwk) };
  const cached = { 'cache-control': 'public, max-age=3600' };
  return new Map<string, Handler>([
    [
      CONFIGURATION_PATH,
      async () => {
        const configuration = {
          issuer: options.issuer,
          jwks_uri: `${options.externalUrl()}${KEYS_PATH}`,
          response_types_supported: ['id_token'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: [...new Set(options.keys.map((key) => key.algorithm))],
        };
        return jsonResponse(200, configuration, cached);
      },
    ],
    [KEYS_PATH, async () => jsonResponse(200, keySet, { ...cached, 'content-type': 'application/jwk-set+json' })],
  ]);
}
