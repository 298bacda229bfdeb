import type { RuntimeConfig } from '#api/features/runtime-config.ts';

/** Which parts of the API a server has besides the stable ones. */
export interface ApiChoice {
  /** `--runtime-config`: `api/beta`, `group/version`, `group/version/resource` to `true` or `false`. */
  readonly runtimeConfig?: RuntimeConfig;
  /** `--feature-gates`. */
  readonly featureGates?: Readonly<Record<string, boolean>>;
}

/** Just that part of wider options. */
export function apiChoice({ runtimeConfig, featureGates }: ApiChoice): ApiChoice {
  return {
    ...(runtimeConfig !== undefined && { runtimeConfig }),
    ...(featureGates !== undefined && { featureGates }),
  };
}
