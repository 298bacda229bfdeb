import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AddressRange } from '#apiserver/allocation/address-range.ts';
import { chooseRange } from '#node/network/machine-plan.ts';
import { type DataDirectory, DataDirectoryError } from './data-directory.ts';

/**
 * What a cluster decided at its first start and must keep, because objects in its store depend on it: addresses of
 * services, ranges of pods, the port in everybody's kubeconfig.
 */
export interface ClusterSettings {
  readonly port: number;
  /** One range, or two of different families with a comma between them. */
  readonly serviceCidr: string;
  readonly podCidr: string;
}

export interface SettingsRequest {
  /** 0: any free port at the first start, the same one afterwards. */
  readonly port: number | undefined;
  readonly serviceCidr: string | undefined;
  readonly podCidr: string | undefined;
  /** Ranges of the machine that new ones must not touch. */
  readonly usedPrefixes: readonly string[];
  /** Without root, services need addresses that anybody may listen on. */
  readonly isLoopbackOnly: boolean;
  readonly freePort: () => Promise<number>;
}

const DEFAULT_PORT = 6443;

// The customary ranges, and others for a second and third cluster on the machine.
const SERVICE_RANGES = ['10.96.0.0/16', '10.97.0.0/16', '10.98.0.0/16', '10.99.0.0/16', '10.100.0.0/16'];
const POD_RANGES = ['10.244.0.0/16', '10.245.0.0/16', '10.246.0.0/16', '10.247.0.0/16', '10.248.0.0/16'];
// Clear of the addresses that the process runtime gives to pods (127.64 to 127.191).
const LOOPBACK_SERVICE_RANGE = '127.200.0.0/16';

/** The settings of a data directory, made at the first start. Refuses what would contradict stored objects. */
export async function resolveSettings(directory: DataDirectory, request: SettingsRequest): Promise<ClusterSettings> {
  const path = join(directory.root, 'settings.json');
  const saved = readSettings(path);
  const askedCidr = request.serviceCidr === undefined ? undefined : checkServiceCidr(request.serviceCidr);
  if (saved !== undefined) {
    refuseChange('--service-cluster-ip-range', { saved: saved.serviceCidr, asked: askedCidr });
    refuseChange('--cluster-cidr', { saved: saved.podCidr, asked: request.podCidr });
    const port = request.port === undefined || request.port === 0 ? saved.port : request.port;
    const settings = { ...saved, port };
    if (port !== saved.port) writeSettings(path, settings);
    return settings;
  }
  const defaultRange = () =>
    request.isLoopbackOnly ? LOOPBACK_SERVICE_RANGE : chooseRange(SERVICE_RANGES, request.usedPrefixes);
  const settings = {
    port: request.port === 0 ? await request.freePort() : (request.port ?? DEFAULT_PORT),
    serviceCidr: askedCidr ?? defaultRange(),
    podCidr: request.podCidr ?? chooseRange(POD_RANGES, request.usedPrefixes),
  };
  writeSettings(path, settings);
  return settings;
}

/** The address at `offset` in the first of the given ranges: 1 is `kubernetes`, 10 is DNS. */
export function addressAt(cidrs: string, offset: number): string {
  const [cidr = ''] = cidrs.split(',');
  const range = new AddressRange(cidr);
  if (offset > range.size) throw new Error(`${cidr} has no address number ${offset}`);
  return range.at(offset - 1);
}

/** Refuses what the API server could not allocate from: text that is no range, or two of one family. */
function checkServiceCidr(text: string): string {
  const ranges = text.split(',').map((cidr) => {
    try {
      return new AddressRange(cidr.trim());
    } catch {
      throw new DataDirectoryError(`--service-cluster-ip-range ${text}: ${JSON.stringify(cidr)} is no address range`);
    }
  });
  if (ranges.length > 2 || (ranges.length === 2 && ranges[0]?.family === ranges[1]?.family)) {
    throw new DataDirectoryError(
      `--service-cluster-ip-range ${text}: give one range, or one of IPv4 and one of IPv6 with a comma between them`,
    );
  }
  return ranges.map(({ cidr }) => cidr).join(',');
}

function refuseChange(flag: string, values: { saved: string; asked: string | undefined }): void {
  if (values.asked === undefined || values.asked === values.saved) return;
  throw new DataDirectoryError(
    `${flag} ${values.asked} contradicts ${values.saved}, with which this cluster was made: ` +
      'leave the flag out, or start another cluster with --data-dir',
  );
}

function readSettings(path: string): ClusterSettings | undefined {
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, 'utf8');
  try {
    const value: unknown = JSON.parse(text);
    if (isSettings(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new DataDirectoryError(`${path} is damaged; restore it, or start another cluster with --data-dir`);
}

function isSettings(value: unknown): value is ClusterSettings {
  if (typeof value !== 'object' || value === null) return false;
  return (
    'port' in value &&
    typeof value.port === 'number' &&
    'serviceCidr' in value &&
    typeof value.serviceCidr === 'string' &&
    'podCidr' in value &&
    typeof value.podCidr === 'string'
  );
}

function writeSettings(path: string, settings: ClusterSettings): void {
  writeFileSync(`${path}.tmp`, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}
