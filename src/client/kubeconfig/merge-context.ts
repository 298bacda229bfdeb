import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Document, isMap, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Fields } from '#machinery/meta/types.ts';
import { KubeconfigError } from '../errors.ts';
import type { ClientConfig } from '../http/client-config.ts';

// Other programs hold the lock for moments; one that was killed leaves it behind for good.
const LOCK_WAIT_MS = 5000;
const LOCK_RETRY_MS = 50;

export interface MergeContextOptions {
  /** The file to change; it is made where there is none. See `kubeconfigTarget`. */
  readonly path: string;
  /** Name of the context, and of its cluster and user. Entries of this name are replaced. */
  readonly name: string;
  readonly config: ClientConfig;
  /** Whether the context becomes the current one. */
  readonly makeCurrent: boolean;
}

/**
 * Puts a context into a kubeconfig file. Everything else in it stays as it is, comments and unknown fields too. The new
 * file replaces the old one at once, readable by its owner only; kubectl's lock file keeps others out meanwhile.
 */
export async function mergeContext(options: MergeContextOptions, deps: { clock: Clock }): Promise<void> {
  const { path, name, config, makeCurrent } = options;
  await changeFile(path, deps, (document) => {
    setEntry(document, 'clusters', { name, cluster: clusterFields(config) });
    setEntry(document, 'users', { name, user: userFields(config) });
    const namespace = config.namespace === undefined ? {} : { namespace: config.namespace };
    setEntry(document, 'contexts', { name, context: { cluster: name, user: name, ...namespace } });
    if (makeCurrent) document.set('current-context', name);
    return true;
  });
}

/**
 * Takes a context out of the files, with its cluster and user where no other context uses them. Where it was the
 * current one, none is current after that. Returns whether there was something to remove.
 */
export async function removeContext(
  options: { readonly paths: readonly string[]; readonly name: string },
  deps: { clock: Clock },
): Promise<boolean> {
  let isRemoved = false;
  for (const path of options.paths) {
    if (!existsSync(path)) continue;
    await changeFile(path, deps, (document) => {
      const isChanged = removeFrom(document, options.name);
      isRemoved ||= isChanged;
      return isChanged;
    });
  }
  return isRemoved;
}

function removeFrom(document: Document, name: string): boolean {
  const context = entryOf(document, 'contexts', name);
  if (context === undefined) return false;
  const { cluster, user } = referencesOf(context);
  removeEntry(document, 'contexts', name);
  const others = (listOf(document, 'contexts')?.items ?? []).filter(isMap).map(referencesOf);
  if (cluster !== '' && !others.some((other) => other.cluster === cluster)) removeEntry(document, 'clusters', cluster);
  if (user !== '' && !others.some((other) => other.user === user)) removeEntry(document, 'users', user);
  if (document.get('current-context') === name) document.set('current-context', '');
  return true;
}

/** Changes the file under its lock; `change` says whether there is something to write. */
async function changeFile(path: string, deps: { clock: Clock }, change: (document: Document) => boolean) {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // A link stays a link: what it points to is replaced.
  const target = existsSync(path) ? realpathSync(path) : path;
  const lock = await takeLock(`${target}.lock`, deps.clock);
  try {
    const document = readDocument(target);
    if (change(document)) replaceFile(target, document.toString({ lineWidth: 0 }));
  } finally {
    closeSync(lock);
    rmSync(`${target}.lock`, { force: true });
  }
}

async function takeLock(path: string, clock: Clock): Promise<number> {
  const deadlineMs = clock.monotonic() + LOCK_WAIT_MS;
  for (;;) {
    try {
      return openSync(path, 'wx', 0o600);
    } catch (error) {
      const isLocked = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!isLocked) throw new KubeconfigError(`cannot lock the kubeconfig with "${path}"`, { cause: error });
      if (clock.monotonic() >= deadlineMs) {
        const advice = 'another program is changing it; if none is, remove that file and try again';
        throw new KubeconfigError(`the kubeconfig is locked by "${path}": ${advice}`, { cause: error });
      }
    }
    await clock.sleep(LOCK_RETRY_MS);
  }
}

function readDocument(path: string): Document {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (text.trim() === '') return new Document({ apiVersion: 'v1', kind: 'Config', preferences: {} });
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined || !isMap(document.contents)) {
    const reason = error?.message ?? 'it is no map of fields';
    throw new KubeconfigError(`the kubeconfig "${path}" cannot be changed, because it is not valid: ${reason}`);
  }
  return document as Document;
}

/** Written beside the file and renamed over it: at no moment is there half a file. */
function replaceFile(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, 'w', 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new KubeconfigError(`cannot write the kubeconfig "${path}"`, { cause: error });
  }
}

function clusterFields(config: ClientConfig): Record<string, unknown> {
  const { certificateAuthority, server, tlsServerName, insecureSkipTlsVerify } = config;
  return {
    ...(certificateAuthority === undefined ? {} : { 'certificate-authority-data': base64(certificateAuthority) }),
    ...(insecureSkipTlsVerify === true ? { 'insecure-skip-tls-verify': true } : {}),
    server,
    ...(tlsServerName === undefined ? {} : { 'tls-server-name': tlsServerName }),
  };
}

function userFields(config: ClientConfig): Record<string, unknown> {
  const { clientCertificate, clientKey, token, tokenFile, username, password } = config;
  return {
    ...(clientCertificate === undefined ? {} : { 'client-certificate-data': base64(clientCertificate) }),
    ...(clientKey === undefined ? {} : { 'client-key-data': base64(clientKey) }),
    ...(token === undefined ? {} : { token }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function listOf(document: Document, field: string): YAMLSeq | undefined {
  const list = document.get(field);
  return isSeq(list) ? list : undefined;
}

function entryOf(document: Document, field: string, name: string): YAMLMap | undefined {
  return listOf(document, field)
    ?.items.filter(isMap)
    .find((item) => item.get('name') === name);
}

function setEntry(document: Document, field: string, entry: { name: string } & Fields): void {
  const list = listOf(document, field);
  if (list === undefined) {
    document.set(field, document.createNode([entry]));
    return;
  }
  const index = list.items.findIndex((item) => isMap(item) && item.get('name') === entry.name);
  const node = document.createNode(entry);
  // An empty list is often written as `[]`, which would force the entry into that style.
  if (list.items.length === 0) list.flow = false;
  if (index < 0) list.items.push(node);
  else list.items[index] = node;
}

function removeEntry(document: Document, field: string, name: string): void {
  const list = listOf(document, field);
  const index = list?.items.findIndex((item) => isMap(item) && item.get('name') === name) ?? -1;
  if (index >= 0) list?.items.splice(index, 1);
}

/** What a context names. */
function referencesOf(context: YAMLMap): { cluster: string; user: string } {
  const fields = context.get('context');
  const read = (field: string) => {
    const value: unknown = isMap(fields) ? fields.get(field) : undefined;
    return typeof value === 'string' ? value : '';
  };
  return { cluster: read('cluster'), user: read('user') };
}
