import type { EndpointChoice } from './endpoint-choice.ts';

export interface ServiceAddress {
  readonly host: string;
  readonly port: number;
}

/** Serves one address and port of a Service. */
export interface ServiceListener {
  /** Where traffic goes; its route may be replaced at any time. */
  readonly choice: EndpointChoice;
  /** Rejects where the address cannot be bound. */
  open(address: ServiceAddress): Promise<void>;
  close(): Promise<void>;
}
