import { protobufMessageOf, protobufTable } from '#api/schema/protobuf.ts';
import type { Cluster } from '#cluster/create-cluster.ts';
import { ProtobufCodec, type TypedObject } from '#machinery/codec/protobuf/codec.ts';
import { StatusError } from '#machinery/errors/status-error.ts';

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

export interface Answer {
  readonly code: number;
  // Bodies of all kinds: the tests compare them, and look into few fields.
  readonly body: Readonly<Record<string, unknown>> & {
    readonly kind?: string;
    readonly metadata: Readonly<Record<string, unknown>>;
    readonly items?: readonly { readonly metadata: Readonly<Record<string, unknown>> }[];
  };
  readonly message: string;
  readonly warnings: string;
}

export interface Asked {
  readonly type?: string;
  readonly accept?: string;
}

/** Speaks to a cluster as a client of no particular language does: paths, bodies and media types. */
export class Requests {
  readonly #cluster: Cluster;
  readonly #codec: ProtobufCodec;

  constructor(cluster: Cluster, codec: ProtobufCodec) {
    this.#cluster = cluster;
    this.#codec = codec;
  }

  static async of(cluster: Cluster): Promise<Requests> {
    return new Requests(cluster, new ProtobufCodec({ table: await protobufTable(), messageOf: protobufMessageOf }));
  }

  async ask(method: string, path: string, body?: object, { type, accept }: Asked = {}): Promise<Answer> {
    const headers: Record<string, string> = { 'content-type': type ?? 'application/json' };
    if (accept !== undefined) headers['accept'] = accept;
    // Safe: what is sent as protobuf says its kind.
    const bytes =
      type === PROTOBUF ? this.#codec.encodeObject(body as TypedObject) : Buffer.from(JSON.stringify(body ?? ''));
    try {
      const answer = await this.#cluster.client.raw({ method, path, headers, ...(body && { body: bytes }) });
      const decoded: unknown =
        accept === PROTOBUF ? this.#codec.decodeObject(answer.body) : JSON.parse(Buffer.from(answer.body).toString());
      // Safe: every answer of these tests is an object or a Status, which have metadata.
      const object = decoded as Answer['body'];
      return { code: answer.status, body: object, message: '', warnings: answer.headers['warning'] ?? '' };
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      // Safe: a Status is such an object.
      return {
        code: error.code,
        body: error.status as unknown as Answer['body'],
        message: error.message,
        warnings: '',
      };
    }
  }
}
