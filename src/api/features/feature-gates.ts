import { type FeatureName, type FeatureSpec, KNOWN_FEATURES, type Stage } from './known-features.ts';

/** A text of `--feature-gates` or `--runtime-config` that cannot be taken; the message is upstream's. */
export class OptionError extends Error {
  readonly code = 'invalidOption';
  override readonly name = 'OptionError';
}

const byName: readonly (readonly [string, FeatureSpec])[] = [...KNOWN_FEATURES].toSorted(([a], [b]) =>
  a < b ? -1 : 1,
);

export interface FeatureState {
  readonly name: string;
  readonly stage: Stage;
  readonly isEnabled: boolean;
}

/** Which features are on. A value: made once at start. */
export class FeatureGates {
  readonly #settings: ReadonlyMap<string, boolean>;

  /** Throws an OptionError for unknown and locked gates. */
  constructor(settings: Readonly<Record<string, boolean>> = {}) {
    for (const [name, value] of Object.entries(settings)) check(name, value);
    this.#settings = new Map(Object.entries(settings));
  }

  isEnabled(name: FeatureName): boolean {
    const spec = KNOWN_FEATURES.get(name);
    return spec !== undefined && this.#stateOf(name, spec);
  }

  /** Every gate by name, for `/metrics` (`kubernetes_feature_enabled`), `/flagz` and help. */
  list(): FeatureState[] {
    return byName.map(([name, spec]) => ({ name, stage: spec.stage, isEnabled: this.#stateOf(name, spec) }));
  }

  #stateOf(name: string, spec: FeatureSpec): boolean {
    const own = this.#settings.get(name);
    if (own !== undefined) return own;
    if (spec.isLocked || name === 'AllAlpha' || name === 'AllBeta') return spec.default;
    // The two gates that stand for a whole stage move all gates of it that are not named themselves.
    const all = spec.stage === 'ALPHA' ? 'AllAlpha' : spec.stage === 'BETA' ? 'AllBeta' : undefined;
    return (all === undefined ? undefined : this.#settings.get(all)) ?? spec.default;
  }
}

function check(name: string, value: boolean): void {
  const spec = KNOWN_FEATURES.get(name);
  if (spec === undefined) throw new OptionError(`unrecognized feature gate: ${name}`);
  if (spec.isLocked && spec.default !== value) {
    throw new OptionError(`cannot set feature gate ${name} to ${value}, feature is locked to ${spec.default}`);
  }
}

/** Reads `A=true,B=false`; a component's prefix (`kube:A=true`) is allowed, as the flag of 1.36 takes it. */
export function parseFeatureGates(text: string): Record<string, boolean> {
  const settings: Record<string, boolean> = {};
  for (const part of text.split(',')) {
    const trimmed = part.trim();
    if (trimmed === '') continue;
    const [key = '', ...rest] = trimmed.split('=');
    const name = key.trim().replace(/^kube:/, '');
    if (rest.length === 0) throw new OptionError(`missing bool value for ${name}`);
    const value = rest.join('=').trim();
    const isOn = parseBool(value);
    if (isOn === undefined) {
      const cause = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
      throw new OptionError(`invalid value of ${name}: ${value}, err: ${cause}`);
    }
    settings[name] = isOn;
  }
  return settings;
}

/** What Go's `strconv.ParseBool` takes. */
export function parseBool(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text) ? false : undefined;
}
