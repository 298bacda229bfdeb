import type { RunCommand } from '../../host/run-command.ts';
import type { ProxyBackend, RouteChange } from '../backend.ts';
import { renderBase, renderChanges, renderRemoval, type RenderOptions } from './render.ts';

/** Service routing in the kernel, in a table of our own. Changes are one `nft` transaction each. */
export class NftablesBackend implements ProxyBackend {
  readonly name = 'nftables';
  readonly #run: RunCommand;
  readonly #options: RenderOptions;

  constructor(deps: { run: RunCommand; options: RenderOptions }) {
    this.#run = deps.run;
    this.#options = deps.options;
  }

  async start(): Promise<void> {
    await this.#nft(renderBase(this.#options));
  }

  async apply(changes: readonly RouteChange[]): Promise<void> {
    const script = renderChanges(changes, this.#options);
    if (script !== '') await this.#nft(script);
  }

  async stop(): Promise<void> {
    await this.#nft(renderRemoval());
  }

  async #nft(script: string): Promise<void> {
    await this.#run('nft', ['-f', '-'], { input: script });
  }
}
