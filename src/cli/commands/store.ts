import { type Command, Option } from 'commander';
import { dataDirectoryAt } from '#cluster/data-directory.ts';
import { type EtcdFlags, etcdFlags } from '#cluster/store-choice.ts';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';
import { StoreError } from '#store/errors.ts';
import type { MigrationProgress } from '#store/migrate/migrate-store.ts';
import { CliError } from '../cli-error.ts';
import { currentUid, findCluster, withDataDir, withEtcdFlags } from '../options.ts';

interface MigrateFlags extends EtcdFlags {
  readonly dataDir: string;
  readonly from: 'lmdb' | 'etcd';
  readonly to: 'lmdb' | 'etcd';
}

const BACKENDS = ['lmdb', 'etcd'];
const STEPS = {
  clear: 'removing an unfinished copy',
  copy: 'copying',
  revision: 'raising the revision',
  compare: 'comparing',
} as const satisfies Record<MigrationProgress['step'], string>;

/** `tiphys store migrate`: moves a cluster's objects between its data directory and etcd. */
export function addStoreCommand(program: Command): void {
  const store = program.command('store').description('where the objects of a cluster are');
  withEtcdFlags(withDataDir(store.command('migrate')))
    .description('copy all objects to another store, compare, and use that one from the next start on')
    .addOption(new Option('--from <backend>', 'where the objects are').choices(BACKENDS).makeOptionMandatory())
    .addOption(new Option('--to <backend>', 'where they are to be').choices(BACKENDS).makeOptionMandatory())
    .action(migrate);
}

async function migrate(flags: MigrateFlags): Promise<void> {
  if (flags.from === flags.to) throw new CliError('--from and --to name the same store');
  const { isRunning, directory } = findCluster(flags.dataDir);
  if (isRunning) {
    throw new CliError(`the cluster in ${directory.root} is running`, { hint: 'stop it first: tiphys down' });
  }
  const { migrateCluster } = await import('#cluster/migrate-cluster.ts');
  const print = progressPrinter();
  try {
    const result = await migrateCluster(
      dataDirectoryAt(flags.dataDir, currentUid()),
      { from: flags.from, to: flags.to, etcd: etcdFlags(flags) },
      { clock: new RealClock(), random: new SystemRandom(), onProgress: print.update },
    );
    print.end();
    process.stdout.write(
      `${result.keys} objects copied from ${flags.from} to ${flags.to}; both have the hash ${result.hash.slice(0, 16)}\n` +
        `revision ${result.sourceRevision} became ${result.targetRevision}\n` +
        `from the next start on the cluster uses ${flags.to}; the old copy is left where it is\n`,
    );
  } catch (error) {
    print.end();
    if (error instanceof StoreError) throw new CliError(error.message);
    throw error;
  }
}

/** One line that is written over on a terminal, a line a step elsewhere. */
function progressPrinter(): { update: (progress: MigrationProgress) => void; end: () => void } {
  let step: MigrationProgress['step'] | undefined;
  const isTerminal = process.stderr.isTTY;
  return {
    update: (progress) => {
      const isNew = progress.step !== step;
      if (!isTerminal && !isNew) return;
      if (isTerminal && step !== undefined) process.stderr.write(isNew ? '\n' : '\r');
      step = progress.step;
      const count = isTerminal ? `${progress.done} of ${progress.total}` : `${progress.total}`;
      process.stderr.write(`${STEPS[progress.step]}: ${count}${isTerminal ? '' : '\n'}`);
    },
    end: () => {
      if (isTerminal && step !== undefined) process.stderr.write('\n');
    },
  };
}
