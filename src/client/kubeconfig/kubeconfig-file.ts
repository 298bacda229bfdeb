import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { Fields } from '#machinery/meta/types.ts';
import { KubeconfigError } from '../errors.ts';

/** The variables of the environment that say where kubeconfig files are. */
export interface KubeconfigEnvironment {
  readonly KUBECONFIG?: string | undefined;
  readonly HOME?: string | undefined;
}

/** An entry of `clusters`, `users` or `contexts`, and the directory that its relative paths start from. */
export interface KubeconfigEntry {
  readonly fields: Fields;
  readonly directory: string;
}

/** Several files seen as one: of each name and of the current context, the first file that has it wins. */
export interface Kubeconfig {
  readonly currentContext: string;
  readonly clusters: ReadonlyMap<string, KubeconfigEntry>;
  readonly users: ReadonlyMap<string, KubeconfigEntry>;
  readonly contexts: ReadonlyMap<string, KubeconfigEntry>;
  /** The files that were there. */
  readonly files: readonly string[];
}

/** The files to read, as kubectl has it: `--kubeconfig`, else the list in KUBECONFIG, else `~/.kube/config`. */
export function kubeconfigPaths(options: { path?: string; env: KubeconfigEnvironment }): string[] {
  if (options.path !== undefined && options.path !== '') return [resolve(options.path)];
  const listed = (options.env.KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '');
  if (listed.length > 0) return [...new Set(listed.map((path) => resolve(path)))];
  const home = options.env.HOME ?? '';
  return home === '' ? [] : [join(home, '.kube', 'config')];
}

/** The file that a new entry goes into: the first that exists, else the last. */
export function kubeconfigTarget(paths: readonly string[]): string {
  const target = paths.find((path) => existsSync(path)) ?? paths.at(-1);
  if (target === undefined) {
    throw new KubeconfigError('there is no place for a kubeconfig: set HOME or KUBECONFIG, or name a file');
  }
  return target;
}

/** Reads and merges the files; those that do not exist are skipped. */
export function readKubeconfig(paths: readonly string[]): Kubeconfig {
  const merged = {
    currentContext: '',
    clusters: new Map<string, KubeconfigEntry>(),
    users: new Map<string, KubeconfigEntry>(),
    contexts: new Map<string, KubeconfigEntry>(),
    files: [] as string[],
  };
  for (const path of paths) {
    const config = readFile(path);
    if (config === undefined) continue;
    merged.files.push(path);
    const current = config['current-context'];
    if (merged.currentContext === '' && typeof current === 'string') merged.currentContext = current;
    const directory = dirname(path);
    collect(config['clusters'], 'cluster', directory, merged.clusters);
    collect(config['users'], 'user', directory, merged.users);
    collect(config['contexts'], 'context', directory, merged.contexts);
  }
  return merged;
}

function readFile(path: string): Fields | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new KubeconfigError(`cannot read the kubeconfig "${path}"`, { cause: error });
  }
  const value = parseYaml(text, path);
  if (value === null || value === undefined) return {};
  if (!isFields(value)) throw new KubeconfigError(`the kubeconfig "${path}" is no map of fields`);
  return value;
}

function parseYaml(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new KubeconfigError(`the kubeconfig "${path}" is not valid YAML: ${reason}`, { cause: error });
  }
}

function collect(list: unknown, field: string, directory: string, target: Map<string, KubeconfigEntry>): void {
  if (!Array.isArray(list)) return;
  for (const item of list) {
    if (!isFields(item) || typeof item['name'] !== 'string' || target.has(item['name'])) continue;
    const fields = item[field];
    target.set(item['name'], { fields: isFields(fields) ? fields : {}, directory });
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
