import type { Clock } from '#machinery/clock/clock.ts';
import { refuseUpgrade } from '#net/http/upgrade.ts';
import { serveAttach, serveExec } from '#net/remotecommand/serve-command.ts';
import { servePortForward } from '#net/remotecommand/serve-port-forward.ts';
import { podName, podNamespace, podUid } from '../pod/pod.ts';
import { type FoundContainer, type FoundPod, HttpProblem } from './find.ts';
import type { StreamServer, Upgrade } from './answer.ts';

/** Exec, attach and port-forward over SPDY and WebSocket, joined to what the runtime opens. */
export class NetStreams implements StreamServer {
  readonly #deps: { clock: Clock };

  constructor(deps: { clock: Clock }) {
    this.#deps = deps;
  }

  exec(upgrade: Upgrade, found: FoundContainer): Promise<void> {
    const { runtime } = found.kubelet;
    return serveExec(upgrade, (options) => runtime.exec(found.containerId, options), this.#deps);
  }

  attach(upgrade: Upgrade, found: FoundContainer): Promise<void> {
    const { runtime } = found.kubelet;
    const open = ({ stdin, stdout, stderr }: { stdin: boolean; stdout: boolean; stderr: boolean }) =>
      runtime.attach(found.containerId, { stdin, stdout, stderr: stderr && !found.hasTty, tty: found.hasTty });
    return serveAttach(upgrade, open, this.#deps);
  }

  portForward(upgrade: Upgrade, found: FoundPod): Promise<void> {
    const { pod } = found.worker;
    const { runtime } = found.kubelet;
    const open = (port: number) => {
      // Looked up anew for each connection: the sandbox may have been replaced in the meantime.
      const sandboxId = found.worker.view?.sandboxes.find((one) => one.state === 'READY')?.id;
      if (sandboxId === undefined) throw new HttpProblem(404, `pod not found ("${podName(pod)}_${podNamespace(pod)}")`);
      return runtime.portForward(sandboxId, port);
    };
    const target = {
      open: async (port: number) => open(port),
      podName: `${podName(pod)}_${podNamespace(pod)}`,
      podUid: podUid(pod),
    };
    return servePortForward(upgrade, target, this.#deps);
  }

  refuse(upgrade: Upgrade, status: number, text: string): void {
    refuseUpgrade(upgrade, status, text);
  }
}
