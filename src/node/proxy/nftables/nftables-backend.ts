import type { RunCommand } from '../../host/run-command.ts';
import type { ProxyBackend, RouteChange } from '../backend.ts';
import { endpointIps, renderBase, renderChanges, renderHairpins, renderRemoval, type RenderOptions } from './render.ts';

/** Service routing in the kernel, in a table of our own. Changes are one `nft` transaction each. */
export class NftablesBackend implements ProxyBackend {
  readonly name = 'nftables';
  readonly #run: RunCommand;
  readonly #options: RenderOptions;
  /** Endpoint address -> how many routes have it. Invariant: its keys are what the table's `hairpins` holds. */
  readonly #addresses = new Map<string, number>();

  constructor(deps: { run: RunCommand; options: RenderOptions }) {
    this.#run = deps.run;
    this.#options = deps.options;
  }

  async start(): Promise<void> {
    await this.#nft(renderBase(this.#options));
    this.#addresses.clear();
  }

  async apply(changes: readonly RouteChange[]): Promise<void> {
    const counts = this.#countAfter(changes);
    const hairpins = {
      added: [...counts].flatMap(([ip, count]) => (count > 0 && !this.#addresses.has(ip) ? [ip] : [])),
      removed: [...counts].flatMap(([ip, count]) => (count === 0 && this.#addresses.has(ip) ? [ip] : [])),
    };
    const script = renderChanges(changes, this.#options) + renderHairpins(hairpins);
    if (script !== '') await this.#nft(script);
    for (const [ip, count] of counts) {
      if (count === 0) this.#addresses.delete(ip);
      else this.#addresses.set(ip, count);
    }
  }

  async stop(): Promise<void> {
    await this.#nft(renderRemoval());
  }

  /** In how many routes each address that the changes touch will be. */
  #countAfter(changes: readonly RouteChange[]): Map<string, number> {
    const counts = new Map<string, number>();
    const add = (ip: string, difference: number) =>
      counts.set(ip, (counts.get(ip) ?? this.#addresses.get(ip) ?? 0) + difference);
    for (const { previous, next } of changes) {
      for (const ip of previous === undefined ? [] : endpointIps(previous)) add(ip, -1);
      for (const ip of next === undefined ? [] : endpointIps(next)) add(ip, 1);
    }
    return counts;
  }

  async #nft(script: string): Promise<void> {
    await this.#run('nft', ['-f', '-'], { input: script });
  }
}
