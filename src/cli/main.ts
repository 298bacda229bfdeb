#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { addAgentCommand } from './commands/agent.ts';
import { addControllerManagerCommand } from './commands/controller-manager.ts';
import { addDeleteCommand } from './commands/delete.ts';
import { addDnsCommand } from './commands/dns.ts';
import { addDownCommand } from './commands/down.ts';
import { addImageCommand } from './commands/image.ts';
import { addKubectlCommand } from './commands/kubectl.ts';
import { addKubeletCommand } from './commands/kubelet.ts';
import { addLogsCommand } from './commands/logs.ts';
import { addProxyCommand } from './commands/proxy.ts';
import { addSchedulerCommand } from './commands/scheduler.ts';
import { addServerCommand } from './commands/server.ts';
import { addStatusCommand } from './commands/status.ts';
import { addStoreCommand } from './commands/store.ts';
import { addUpCommand } from './commands/up.ts';
import { CliError } from './cli-error.ts';
import { VERSION } from './version.ts';

const HELP = `
A first session:
  npm start                                  start a cluster here, in the foreground
  tiphys up --detach                         the same in the background
  tiphys kubectl get nodes                   talk to it (any kubectl works: the context is "tiphys")
  tiphys kubectl apply -f examples/web.yaml  run something
  tiphys status                              what runs, and where
  tiphys down                                stop it; objects stay in the data directory
  tiphys delete                              stop it and remove the data too

Images need no registry:
  tiphys image build --tag web:1 --entrypoint '["/bin/web"]' ./rootfs
  tiphys image load image.tar                OCI layout or docker save

Control plane in parts, each in a process (or on a machine) of its own:
  tiphys server --disable scheduler,controller-manager
  tiphys scheduler --kubeconfig DATA-DIR/scheduler.conf

Commands about a cluster on this machine take --data-dir to say which one.`;

/** Parses the command line, runs one command, and turns what it throws into a message and an exit code. */
async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('tiphys')
    .description('Kubernetes in TypeScript: a whole cluster as one npm package.')
    .version(VERSION, '--version', 'print the version')
    .addHelpText('after', HELP)
    .showHelpAfterError('(tiphys --help tells more)')
    .showSuggestionAfterError(true)
    .enablePositionalOptions()
    .exitOverride();
  addUpCommand(program);
  addStatusCommand(program);
  addDownCommand(program);
  addDeleteCommand(program);
  addLogsCommand(program);
  addKubectlCommand(program);
  addImageCommand(program);
  addServerCommand(program);
  addAgentCommand(program);
  addStoreCommand(program);
  program.commandsGroup('One component, for any API server:');
  addSchedulerCommand(program);
  addControllerManagerCommand(program);
  addKubeletCommand(program);
  addProxyCommand(program);
  addDnsCommand(program);
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    process.exitCode = report(error);
    // What a failed start left open (a lock, a timer, the line to a waiting parent) must not keep the process alive.
    if (process.connected) process.disconnect?.();
  }
}

/** Prints an error for a person; returns the exit code. */
function report(error: unknown): number {
  // commander has printed its own message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof CliError) {
    process.stderr.write(`tiphys: ${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`);
    return error.exitCode;
  }
  const isExpected = error instanceof Error && 'code' in error;
  process.stderr.write(
    `tiphys: ${error instanceof Error ? (isExpected ? error.message : error.stack) : String(error)}\n`,
  );
  return 1;
}

await main(process.argv);
