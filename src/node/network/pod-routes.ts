import type { Node } from '#api/generated/types.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { RunCommand } from '../host/run-command.ts';
import type { ProxySource } from '../proxy/routes-source.ts';

// Marks routes as ours in the kernel's table (any number that no daemon has claimed in rt_protos).
const ROUTE_PROTOCOL = '117';
const RETRY_MS = 1_000;

/** Pod range → node address, for every node but `selfName`. */
export function planRoutes(nodes: readonly Node[], selfName: string | undefined): Map<string, string> {
  const routes = new Map<string, string>();
  for (const node of nodes) {
    const range = node.spec?.podCIDR;
    const ip = node.status?.addresses?.find((address) => address.type === 'InternalIP')?.address;
    if (range === undefined || ip === undefined || node.metadata.name === selfName) continue;
    routes.set(range, ip);
  }
  return routes;
}

/** Keeps the kernel's routes to the pods of other nodes equal to the Node objects. */
export class PodRoutes {
  readonly #deps: { nodes: ProxySource<Node>; run: RunCommand; executor: Executor; log: Logger; selfName?: string };
  #applied = new Map<string, string>();
  #running: Promise<void> | undefined;
  #isDirty = false;
  #isStopped = false;

  constructor(deps: { nodes: ProxySource<Node>; run: RunCommand; executor: Executor; log: Logger; selfName?: string }) {
    this.#deps = deps;
    const touch = () => this.#touch();
    deps.nodes.addHandler({ onAdd: touch, onUpdate: touch, onDelete: touch });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    for (const range of this.#applied.keys()) {
      await this.#deps.run('ip', ['route', 'flush', range, 'proto', ROUTE_PROTOCOL]);
    }
  }

  #touch(): void {
    this.#isDirty = true;
    if (this.#running !== undefined || this.#isStopped) return;
    this.#running = this.#deps.executor
      .run('node', () => this.#sync())
      .catch(async (error: unknown) => {
        this.#isDirty = true;
        this.#deps.log.error('cannot update routes to pods', { error });
        await this.#deps.executor.clock.sleep(RETRY_MS);
      })
      .finally(() => {
        this.#running = undefined;
        if (this.#isDirty) this.#touch();
      });
  }

  async #sync(): Promise<void> {
    this.#isDirty = false;
    const { nodes, run, selfName } = this.#deps;
    const wanted = planRoutes(nodes.list(), selfName);
    for (const [range, ip] of wanted) {
      if (this.#applied.get(range) === ip) continue;
      await run('ip', ['route', 'replace', range, 'via', ip, 'proto', ROUTE_PROTOCOL]);
      this.#applied.set(range, ip);
    }
    for (const range of this.#applied.keys()) {
      if (wanted.has(range)) continue;
      await run('ip', ['route', 'flush', range, 'proto', ROUTE_PROTOCOL]);
      this.#applied.delete(range);
    }
  }
}
