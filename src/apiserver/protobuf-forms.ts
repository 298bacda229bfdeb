import { ProtobufCodec } from '#machinery/codec/protobuf/codec.ts';
import type { ProtobufTable } from '#machinery/codec/protobuf/model.ts';

/** What protobuf is read and written by: the table is large, so it is loaded at its first use. */
export interface ProtobufSource {
  readonly table: () => Promise<ProtobufTable>;
  /** The message of a kind, such as `k8s.io.api.core.v1.Pod`. */
  readonly messageOf: (apiVersion: string, kind: string) => string | undefined;
}

/** The server's protobuf codec, made at its first use. */
export class ProtobufForms {
  readonly #source: ProtobufSource;
  #codec: Promise<ProtobufCodec> | undefined;

  constructor(source: ProtobufSource) {
    this.#source = source;
  }

  /** Whether objects of a kind have a protobuf form. */
  knows(apiVersion: string, kind: string): boolean {
    return this.#source.messageOf(apiVersion, kind) !== undefined;
  }

  codec(): Promise<ProtobufCodec> {
    this.#codec ??= this.#load();
    return this.#codec;
  }

  async #load(): Promise<ProtobufCodec> {
    const { messageOf } = this.#source;
    return new ProtobufCodec({ table: await this.#source.table(), messageOf });
  }
}
