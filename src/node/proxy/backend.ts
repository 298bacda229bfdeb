import type { Route } from './routes.ts';

/** A change of routes: `next` absent means that the route is gone. */
export interface RouteChange {
  readonly previous?: Route;
  readonly next?: Route;
}

/** Puts routes into effect: nftables, or listeners in user space. One call at a time. */
export interface ProxyBackend {
  readonly name: string;
  /** Removes what an earlier process left and makes the empty base. */
  start(): Promise<void>;
  /** Applies all changes, as one step where the backend can. A failure leaves the old state; the caller retries. */
  apply(changes: readonly RouteChange[]): Promise<void>;
  /** Removes everything that this backend made. */
  stop(): Promise<void>;
}
