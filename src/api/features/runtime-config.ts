import type { ResourceRow } from '../registry/resource-row.ts';
import { type FeatureGates, OptionError, parseBool } from './feature-gates.ts';
import type { FeatureName } from './known-features.ts';

/** `--runtime-config` as key and value: `api/all`, `group/version`, `group/version/resource`. */
export type RuntimeConfig = Readonly<Record<string, string>>;

type Target = Pick<ResourceRow, 'group' | 'version' | 'resource'>;

/** Keys that address versions by their stage, in the order in which they count. */
const STAGES: readonly (readonly [string, RegExp])[] = [
  ['api/all', /^/],
  ['api/ga', /^v\d+$/],
  ['api/beta', /^v\d+beta\d+$/],
  ['api/alpha', /^v\d+alpha\d+$/],
];

/** Resources that are served only while their feature is on, besides `--runtime-config`. */
const GATES: Readonly<Record<string, FeatureName>> = {
  'certificates.k8s.io/clustertrustbundles': 'ClusterTrustBundle',
  'certificates.k8s.io/podcertificaterequests': 'PodCertificateRequest',
  'coordination.k8s.io/leasecandidates': 'CoordinatedLeaderElection',
  'internal.apiserver.k8s.io/storageversions': 'StorageVersionAPI',
  'resource.k8s.io/devicetaintrules': 'DRADeviceTaintRules',
  'resource.k8s.io/resourcepoolstatusrequests': 'DRAResourcePoolStatus',
  'scheduling.k8s.io/podgroups': 'GenericWorkload',
  'scheduling.k8s.io/workloads': 'GenericWorkload',
  'storagemigration.k8s.io/storageversionmigrations': 'StorageVersionMigrator',
};

/** Reads `a/b=true,api/beta=true`; a key without a value is on. */
export function parseRuntimeConfig(text: string): RuntimeConfig {
  const config: Record<string, string> = {};
  for (const part of text.split(',')) {
    const trimmed = part.trim();
    if (trimmed === '') continue;
    const [key = '', ...rest] = trimmed.split('=');
    config[key.trim()] = rest.join('=').trim();
  }
  return config;
}

/**
 * Which of the known resources a server with these options serves: stable versions, and what the options switch on or
 * off. A resource's own key wins over its version's, which wins over a stage's. Throws an OptionError as upstream does.
 */
export function servedResources<T extends Target>(
  rows: readonly T[],
  { runtimeConfig = {}, gates }: { runtimeConfig?: RuntimeConfig; gates: FeatureGates },
): T[] {
  checkKeys(rows, runtimeConfig);
  const stages = STAGES.flatMap(([key, pattern]) => {
    const value = runtimeConfig[key];
    if (value === undefined) return [];
    if (value !== 'true' && value !== 'false') throw new OptionError(`invalid value ${key}=${value}`);
    return [{ pattern, isOn: value === 'true' }];
  });
  const settings = new Map<string, boolean>();
  for (const [key, value] of Object.entries(runtimeConfig)) {
    if (!isStage(key)) settings.set(key === 'v1' ? '/v1' : key, valueOf(key, value));
  }
  return rows.filter((row) => {
    const gate = GATES[`${row.group}/${row.resource}`];
    if (gate !== undefined && !gates.isEnabled(gate)) return false;
    const own = settings.get(`${row.group}/${row.version}/${row.resource}`);
    const version = own ?? settings.get(`${row.group}/${row.version}`);
    if (version !== undefined) return version;
    const stage = stages.findLast(({ pattern }) => pattern.test(row.version));
    return stage?.isOn ?? /^v\d+$/.test(row.version);
  });
}

function checkKeys(rows: readonly Target[], runtimeConfig: RuntimeConfig): void {
  const keys = Object.keys(runtimeConfig);
  if (keys.length === 1 && runtimeConfig['api/all'] === 'false') {
    throw new OptionError('invalid key with only api/all=false');
  }
  const groups = new Set(rows.map(({ group }) => group));
  const versions = new Set(rows.map(({ group, version }) => `${group}/${version}`));
  const unknown: string[] = [];
  for (const key of keys) {
    if (isStage(key)) continue;
    const [group = '', version = '', resource, ...more] = (key === 'v1' ? '/v1' : key).split('/');
    if (version === '' || more.length > 0) throw new OptionError(`runtime-config invalid key ${key}`);
    if (!groups.has(group)) unknown.push(group);
    else if (!versions.has(`${group}/${version}`)) {
      throw new OptionError(`group version ${group}/${version} that has not been registered`);
    }
    if (resource !== undefined && resource.toLowerCase() !== resource) {
      const rule = 'group/version/resource and resource is always lowercase plural';
      throw new OptionError(`invalid key ${key}: ${rule}, not ${JSON.stringify(resource)}`);
    }
  }
  if (unknown.length > 0) throw new OptionError(`unknown api groups ${unknown.join(',')}`);
}

function isStage(key: string): boolean {
  return STAGES.some(([stage]) => stage === key);
}

function valueOf(key: string, value: string): boolean {
  const isOn = value === '' ? true : parseBool(value);
  if (isOn !== undefined) return isOn;
  const cause = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
  throw new OptionError(`invalid value of ${key}: ${value}, err: ${cause}`);
}
