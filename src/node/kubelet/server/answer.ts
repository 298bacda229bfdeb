import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FoundContainer, FoundPod } from './find.ts';

/** What the kubelet answers, before a transport writes it. */
export type KubeletAnswer =
  | {
      readonly type: 'bytes';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: readonly Uint8Array[];
    }
  | {
      readonly type: 'stream';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: AsyncIterable<Uint8Array>;
    }
  /** Takes over the socket and answers on it. */
  | { readonly type: 'upgrade'; readonly accept: () => Promise<void> };

/** Carries exec, attach and port-forward over an upgraded connection, whatever its protocol. */
export interface StreamServer {
  exec(upgrade: Upgrade, container: FoundContainer): Promise<void>;
  attach(upgrade: Upgrade, container: FoundContainer): Promise<void>;
  portForward(upgrade: Upgrade, pod: FoundPod): Promise<void>;
  /** Refuses an upgrade with an ordinary answer. */
  refuse(upgrade: Upgrade, status: number, text: string): void;
}

export interface Upgrade {
  readonly message: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}
