import { readFileSync } from 'node:fs';
import { decodeYaml } from '#machinery/codec/yaml.ts';

/** The fields of a KubeletConfiguration (kubelet.config.k8s.io/v1beta1) that this kubelet heeds. */
export interface KubeletConfiguration {
  readonly address?: string;
  readonly port?: number;
  readonly healthzPort?: number;
  readonly healthzBindAddress?: string;
  readonly clusterDNS?: readonly string[];
  readonly clusterDomain?: string;
  readonly maxPods?: number;
  readonly cgroupRoot?: string;
  readonly containerRuntimeEndpoint?: string;
  readonly tlsCertFile?: string;
  readonly tlsPrivateKeyFile?: string;
  readonly podLogsDir?: string;
  readonly registerWithTaints?: readonly { key: string; value?: string; effect: string }[];
  readonly authentication?: { readonly x509?: { readonly clientCAFile?: string } };
}

const API_VERSION = 'kubelet.config.k8s.io/v1beta1';

const FIELD_TYPES: Readonly<Record<string, 'string' | 'number' | 'array' | 'object'>> = {
  address: 'string',
  port: 'number',
  healthzPort: 'number',
  healthzBindAddress: 'string',
  clusterDNS: 'array',
  clusterDomain: 'string',
  maxPods: 'number',
  cgroupRoot: 'string',
  containerRuntimeEndpoint: 'string',
  tlsCertFile: 'string',
  tlsPrivateKeyFile: 'string',
  podLogsDir: 'string',
  registerWithTaints: 'array',
  authentication: 'object',
};

/** Reads a kubelet's configuration file; fields that this kubelet does not know are ignored. Throws with the file's name. */
export function readKubeletConfiguration(path: string): KubeletConfiguration {
  const [document, ...more] = decodeYaml(readFileSync(path, 'utf8'));
  if (more.length > 0 || typeof document !== 'object' || document === null) {
    throw new Error(`${path} must hold one KubeletConfiguration`);
  }
  const fields = new Map<string, unknown>(Object.entries(document));
  if (fields.get('kind') !== 'KubeletConfiguration' || fields.get('apiVersion') !== API_VERSION) {
    throw new Error(`${path} holds no KubeletConfiguration of ${API_VERSION}`);
  }
  for (const [name, type] of Object.entries(FIELD_TYPES)) {
    const value = fields.get(name);
    const actual = Array.isArray(value) ? 'array' : typeof value;
    if (value === null) fields.delete(name);
    else if (value !== undefined && actual !== type) throw new Error(`${path}: ${name} must be of type ${type}`);
  }
  // Safe: the fields that are read were checked to have their types; what is in lists and objects fails where it is used.
  return Object.fromEntries(fields) as KubeletConfiguration;
}
