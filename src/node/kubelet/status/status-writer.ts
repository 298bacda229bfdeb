import type { Pod, PodCondition, PodStatus } from '#api/generated/types.ts';
import { PODS } from '#api/generated/resources.ts';
import type { Client } from '#client/client.ts';
import { isConflict, isNotFound } from '#machinery/errors/status-error.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { podName, podNamespace, podUid } from '../pod/pod.ts';

interface Entry {
  pod: Pod;
  /** What the API server is known to have. */
  base: PodStatus;
  /** What it should have. */
  wanted: PodStatus | undefined;
  isWriting: boolean;
  /** Writes that failed in a row. */
  failures: number;
  waiting: (() => void)[];
}

// A failed write is tried again after this long, doubled with each failure: the server that failed needs a moment.
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 30_000;

/** Carries pod statuses to the API server: only differences, one write a pod at a time, the newest wins. */
export class StatusWriter {
  readonly #deps: { client: Client; executor: Executor; log: Logger };
  readonly #entries = new Map<string, Entry>();
  #isStopped = false;

  constructor(deps: { client: Client; executor: Executor; log: Logger }) {
    this.#deps = deps;
  }

  /** What was last wanted for the pod, if anything. */
  get(uid: string): PodStatus | undefined {
    return this.#entries.get(uid)?.wanted;
  }

  set(pod: Pod, status: PodStatus): void {
    const entry = this.#entry(pod);
    entry.wanted = status;
    this.#wake(entry);
  }

  /** The API server sent the pod: its status is what differences are taken from now on. */
  observe(pod: Pod): void {
    const entry = this.#entries.get(podUid(pod));
    if (entry === undefined) return;
    entry.pod = pod;
    if (entry.isWriting) return;
    entry.base = pod.status ?? {};
    this.#wake(entry);
  }

  /** Resolves once what was set has been written (or cannot be any more). */
  async flush(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    if (entry === undefined || (!entry.isWriting && statusPatch(entry) === undefined)) return;
    await new Promise<void>((resolve) => entry.waiting.push(resolve));
  }

  forget(uid: string): void {
    const entry = this.#entries.get(uid);
    this.#entries.delete(uid);
    for (const resolve of entry?.waiting ?? []) resolve();
  }

  stop(): void {
    this.#isStopped = true;
    for (const uid of this.#entries.keys()) this.forget(uid);
  }

  #entry(pod: Pod): Entry {
    const uid = podUid(pod);
    let entry = this.#entries.get(uid);
    if (entry === undefined) {
      entry = { pod, base: pod.status ?? {}, wanted: undefined, isWriting: false, failures: 0, waiting: [] };
      this.#entries.set(uid, entry);
    }
    return entry;
  }

  #wake(entry: Entry): void {
    if (entry.isWriting || this.#isStopped) return;
    if (statusPatch(entry) === undefined) return this.#settle(entry);
    entry.isWriting = true;
    this.#deps.executor.post('node', () => void this.#write(entry));
  }

  async #write(entry: Entry): Promise<void> {
    const { client, executor, log } = this.#deps;
    const patch = statusPatch(entry);
    const name = { namespace: podNamespace(entry.pod), name: podName(entry.pod) };
    try {
      if (patch !== undefined) {
        const body = { metadata: { uid: podUid(entry.pod) }, status: patch };
        const written = await client.patch(PODS, name, { type: 'strategic', body }, { subresource: 'status' });
        entry.base = written.status ?? {};
      }
      entry.failures = 0;
    } catch (error) {
      if (isNotFound(error) || (isConflict(error) && !(await this.#isSamePod(entry)))) {
        // The pod is gone or another of its name took its place: nothing to report to any more.
        entry.isWriting = false;
        this.forget(podUid(entry.pod));
        return;
      }
      if (this.#isStopped) return;
      log.warn('cannot write pod status', { pod: name.name, error: String(error) });
      entry.failures += 1;
      await executor.clock.sleep(Math.min(RETRY_MIN_MS * 2 ** entry.failures, RETRY_MAX_MS));
    }
    entry.isWriting = false;
    if (this.#entries.get(podUid(entry.pod)) === entry) this.#wake(entry);
  }

  /** Reads the pod anew; false where it is not there any more. */
  async #isSamePod(entry: Entry): Promise<boolean> {
    try {
      const name = { namespace: podNamespace(entry.pod), name: podName(entry.pod) };
      const current = await this.#deps.client.get(PODS, name);
      if (podUid(current) !== podUid(entry.pod)) return false;
      entry.base = current.status ?? {};
      return true;
    } catch (error) {
      return !isNotFound(error);
    }
  }

  #settle(entry: Entry): void {
    for (const resolve of entry.waiting.splice(0)) resolve();
  }
}

/** A strategic merge patch from what the server has to what it should have; undefined where they agree. */
export function statusPatch(entry: {
  base: PodStatus;
  wanted: PodStatus | undefined;
}): Record<string, unknown> | undefined {
  const { base, wanted } = entry;
  if (wanted === undefined) return undefined;
  const patch: Record<string, unknown> = {};
  for (const key of new Set([...OWNED, ...Object.keys(wanted)])) {
    const before: unknown = Reflect.get(base, key);
    const after: unknown = Reflect.get(wanted, key);
    if (key === 'conditions') continue;
    if (isSame(before, after)) continue;
    if (after === undefined) patch[key] = null;
    else if (key === 'podIPs' || key === 'hostIPs') patch[key] = replaced(before, after);
    else patch[key] = after;
  }
  const conditions = changedConditions(base.conditions ?? [], wanted.conditions ?? []);
  if (conditions.length > 0) patch['conditions'] = conditions;
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** Fields that are the kubelet's to remove; others (`nominatedNodeName`…) are left to their owners. */
const OWNED = ['message', 'reason', 'podIP', 'podIPs', 'initContainerStatuses', 'ephemeralContainerStatuses'];

/** Lists that merge by key keep their old items unless told to go. */
function replaced(before: unknown, after: unknown): unknown {
  const hadItems = Array.isArray(before) && before.length > 0;
  return hadItems && Array.isArray(after) ? [...after, { $patch: 'replace' }] : after;
}

function changedConditions(base: readonly PodCondition[], wanted: readonly PodCondition[]): PodCondition[] {
  return wanted
    .filter((condition) => {
      const before = base.find((one) => one.type === condition.type);
      return before === undefined || !isSame({ ...before, lastProbeTime: undefined }, condition);
    })
    .map((condition) => {
      const before = base.find((one) => one.type === condition.type);
      // What a merge would keep of the old condition has to be taken away by name.
      const gone = (['reason', 'message'] as const).filter(
        (key) => before?.[key] !== undefined && condition[key] === undefined,
      );
      return Object.assign({ ...condition }, Object.fromEntries(gone.map((key) => [key, null])));
    });
}

/** Equal as JSON says it: absent, null and empty containers' absence count the same. */
export function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (left === undefined || left === null) return isBlank(right);
  if (right === undefined || right === null) return isBlank(left);
  if (typeof left !== 'object' || typeof right !== 'object') return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    return left.every((item, at) => isSame(item, right[at]));
  }
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    if (!isSame(Reflect.get(left, key), Reflect.get(right, key))) return false;
  }
  return true;
}

function isBlank(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
