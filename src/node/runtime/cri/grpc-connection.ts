import { Client, type ClientReadableStream, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';

import type { Clock } from '#machinery/clock/clock.ts';

import { RuntimeError } from '../contract.ts';
import { CriMessages } from './descriptor.ts';

export type CriService = 'RuntimeService' | 'ImageService';

export interface CriCall {
  readonly service: CriService;
  readonly method: string;
  /** Names of messages in the descriptor. */
  readonly request: string;
  readonly response: string;
  readonly message: Readonly<Record<string, unknown>>;
  /** Absent: no deadline (image pulls). */
  readonly timeoutMs?: number;
}

// A node's whole container list with labels and annotations; upstream's kubelet allows the same.
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

/** One gRPC channel to a CRI endpoint. It reconnects by itself; a call made while the runtime is down is Unavailable. */
export class CriConnection {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #messages = new CriMessages();
  readonly #metadata = new Metadata();

  /** `endpoint` is `unix:///path/of.sock` or a bare path. */
  constructor(endpoint: string, deps: { clock: Clock }) {
    const address = endpoint.startsWith('/') ? `unix://${endpoint}` : endpoint;
    this.#clock = deps.clock;
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
      'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
      'grpc.enable_retries': 0,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.min_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 3000,
      'grpc.use_local_subchannel_pool': 1,
      // gRPC derives the authority from the socket's path otherwise, which Go's servers refuse.
      'grpc.default_authority': 'localhost',
    });
  }

  /** The response as the descriptor's message; `T` must be the wire type that belongs to `call.response`. */
  call<T>(call: CriCall): Promise<T> {
    const request = this.#messages.codec(call.request);
    const response = this.#messages.codec(call.response);
    const options = call.timeoutMs === undefined ? {} : { deadline: this.#clock.now() + call.timeoutMs };
    return new Promise<T>((resolve, reject) => {
      this.#client.makeUnaryRequest(
        `/runtime.v1.${call.service}/${call.method}`,
        request.encode,
        response.decode,
        call.message,
        this.#metadata,
        options,
        (error, value) => {
          if (error !== null) reject(runtimeError(error));
          // Safe: the codec built this value from the message that T describes.
          else resolve(value as T);
        },
      );
    });
  }

  /** A server stream that ends when the signal fires. */
  async *stream<T>(call: CriCall, signal: AbortSignal): AsyncGenerator<T> {
    const stream: ClientReadableStream<unknown> = this.#client.makeServerStreamRequest(
      `/runtime.v1.${call.service}/${call.method}`,
      this.#messages.codec(call.request).encode,
      this.#messages.codec(call.response).decode,
      call.message,
      this.#metadata,
    );
    const cancel = (): void => stream.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    try {
      // Safe: see call().
      for await (const message of stream) yield message as T;
    } catch (error) {
      if (signal.aborted) return;
      throw isServiceError(error) ? runtimeError(error) : error;
    } finally {
      signal.removeEventListener('abort', cancel);
      stream.cancel();
    }
  }

  close(): void {
    this.#client.close();
  }
}

const CODE_NAMES: Readonly<Record<number, string>> = {
  [status.CANCELLED]: 'Canceled',
  [status.UNKNOWN]: 'Unknown',
  [status.INVALID_ARGUMENT]: 'InvalidArgument',
  [status.DEADLINE_EXCEEDED]: 'DeadlineExceeded',
  [status.NOT_FOUND]: 'NotFound',
  [status.ALREADY_EXISTS]: 'AlreadyExists',
  [status.PERMISSION_DENIED]: 'PermissionDenied',
  [status.RESOURCE_EXHAUSTED]: 'ResourceExhausted',
  [status.FAILED_PRECONDITION]: 'FailedPrecondition',
  [status.ABORTED]: 'Aborted',
  [status.OUT_OF_RANGE]: 'OutOfRange',
  [status.UNIMPLEMENTED]: 'Unimplemented',
  [status.INTERNAL]: 'Internal',
  [status.UNAVAILABLE]: 'Unavailable',
  [status.DATA_LOSS]: 'DataLoss',
  [status.UNAUTHENTICATED]: 'Unauthenticated',
};

/** Go's name of the code; the message is the runtime's own text, because it ends up in pod conditions and events. */
export function runtimeError(error: ServiceError): RuntimeError {
  return new RuntimeError(CODE_NAMES[error.code] ?? 'Unknown', error.details, { cause: error });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}
