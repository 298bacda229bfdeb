import type { Container, Pod, Secret } from '#api/generated/types.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import { type ContainerRuntime, type Image, type PodSandboxConfig, RuntimeError } from '../../runtime/contract.ts';
import { BackOff, PULL_BACK_OFF } from '../pod/back-off.ts';
import type { StartFailure } from '../pod/container-status.ts';
import { goDuration } from '../pod/go-duration.ts';
import { containerEvent, type EventSink } from '../pod/pod-events.ts';
import { podUid } from '../pod/pod.ts';
import { loginsFor } from './keyring.ts';
import { parseReference } from './reference.ts';

export interface ImagesDeps {
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly events: EventSink;
}

export type ImageOutcome =
  | { readonly type: 'present'; readonly image: Image }
  | { readonly type: 'failed'; readonly failure: StartFailure; readonly retryAfterMs: number };

export interface ImageRequest {
  readonly pod: Pod;
  readonly container: Container;
  readonly secrets: readonly Secret[];
  readonly sandbox: PodSandboxConfig;
}

// How soon a pod whose image cannot be had is looked at again: upstream's period of failed syncs.
const RETRY_MS = 10_000;
// A failed pull shows as ErrImagePull for this long, and then as backing off.
const PULL_RETRY_MS = 5000;

/** Makes sure that containers' images are on the node: pull policies, credentials, back-off and their events. */
export class Images {
  readonly #deps: ImagesDeps;
  readonly #backOff = new BackOff(PULL_BACK_OFF);
  /** The last pull's failure by back-off key, for the message while backing off. Forgotten with the pod. */
  readonly #lastErrors = new Map<string, string>();

  constructor(deps: ImagesDeps) {
    this.#deps = deps;
  }

  async ensure(request: ImageRequest): Promise<ImageOutcome> {
    const { pod, container } = request;
    const name = container.image ?? '';
    const parsed = parseReference(name);
    if (parsed.type === 'invalid') {
      const message = `Failed to apply default image tag "${name}": ${parsed.message}`;
      containerEvent(this.#deps.events, request, { type: 'Warning', reason: 'InspectFailed', message });
      return failed('InvalidImageName', message);
    }
    let present: Image | undefined;
    try {
      present = await this.#deps.runtime.imageStatus(parsed.reference);
    } catch (error) {
      const message = `Failed to inspect image "${name}": ${textOf(error)}`;
      containerEvent(this.#deps.events, request, { type: 'Warning', reason: 'InspectFailed', message });
      return failed('ImageInspectError', message);
    }
    const policy = container.imagePullPolicy ?? 'IfNotPresent';
    if (present !== undefined && policy !== 'Always') {
      const message = `Container image "${name}" already present on machine and can be accessed by the pod`;
      containerEvent(this.#deps.events, request, { type: 'Normal', reason: 'Pulled', message });
      return { type: 'present', image: present };
    }
    if (policy === 'Never') {
      const message = `Container image "${name}" is not present with pull policy of Never`;
      containerEvent(this.#deps.events, request, { type: 'Warning', reason: 'ErrImageNeverPull', message });
      return failed('ErrImageNeverPull', message);
    }
    return this.#pull(request, { key: `${podUid(pod)}_${name}`, name, parsed });
  }

  /** Drops what is remembered of a pod that is gone. */
  forget(pod: Pod): void {
    const { spec } = pod;
    for (const container of [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]) {
      const key = `${podUid(pod)}_${container.image ?? ''}`;
      this.#backOff.forget(key);
      this.#lastErrors.delete(key);
    }
  }

  async #pull(
    request: ImageRequest,
    target: { key: string; name: string; parsed: { reference: string; registry: string; repository: string } },
  ): Promise<ImageOutcome> {
    const { clock, events, runtime } = this.#deps;
    const { key, name, parsed } = target;
    const waitMs = this.#backOff.waitSinceUpdateMs(key, clock.now());
    if (waitMs > 0) {
      const message = `Back-off pulling image "${name}"`;
      containerEvent(events, request, { type: 'Normal', reason: 'BackOff', message });
      const last = this.#lastErrors.get(key);
      const full = last === undefined ? message : `${message}: ErrImagePull: ${last}`;
      return { ...failed('ImagePullBackOff', full), retryAfterMs: waitMs };
    }
    containerEvent(events, request, { type: 'Normal', reason: 'Pulling', message: `Pulling image "${name}"` });
    const startedMs = clock.monotonic();
    try {
      await this.#pullWithLogins(request, parsed);
      const image = await runtime.imageStatus(parsed.reference);
      if (image === undefined) throw new RuntimeError('NotFound', `image "${name}" is missing after its pull`);
      const took = goDuration(Math.round(clock.monotonic() - startedMs));
      const message = `Successfully pulled image "${name}" in ${took} (${took} including waiting). Image size: ${image.sizeBytes} bytes.`;
      containerEvent(events, request, { type: 'Normal', reason: 'Pulled', message });
      this.#lastErrors.delete(key);
      return { type: 'present', image };
    } catch (error) {
      const text = grpcText(error);
      this.#backOff.next(key, clock.now(), clock.now());
      this.#lastErrors.set(key, text);
      const message = `Failed to pull image "${name}": ${text}`;
      containerEvent(events, request, { type: 'Warning', reason: 'Failed', message });
      return { ...failed('ErrImagePull', text), retryAfterMs: PULL_RETRY_MS };
    }
  }

  /** Tries each matching login, or none where no secret matches; the last failure counts. */
  async #pullWithLogins(
    request: ImageRequest,
    parsed: { reference: string; registry: string; repository: string },
  ): Promise<void> {
    const { runtime } = this.#deps;
    const logins = loginsFor(parsed, request.secrets);
    if (logins.length === 0) {
      await runtime.pullImage(parsed.reference, { sandbox: request.sandbox });
      return;
    }
    let failure: unknown;
    for (const auth of logins) {
      try {
        await runtime.pullImage(parsed.reference, { auth, sandbox: request.sandbox });
        return;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}

function failed(reason: string, message: string): ImageOutcome & { type: 'failed' } {
  return { type: 'failed', failure: { reason, message }, retryAfterMs: RETRY_MS };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** As Go prints an error that came over gRPC; users search for these lines. */
export function grpcText(error: unknown): string {
  if (!(error instanceof RuntimeError) || error.message.startsWith('rpc error:')) return textOf(error);
  return `rpc error: code = ${error.code} desc = ${error.message}`;
}
