import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

/**
 * The long forms of tests that `npm test` runs with a fixed budget: simulations over many seeds, fuzzing, and the kill
 * test of the store again and again. `npm run test:long -- --seed 7 --seeds 500 --fuzz 50 --rounds 10`.
 */
const { values } = parseArgs({
  options: {
    /** The first seed of the simulations. */
    seed: { type: 'string', default: '1' },
    /** How many seeds. */
    seeds: { type: 'string', default: '100' },
    /** How many times more requests than `npm test` the fuzzing makes. */
    fuzz: { type: 'string', default: '20' },
    /** How often the kill test runs; each run kills 50 times. */
    rounds: { type: 'string', default: '5' },
  },
});

let failed = 0;
run('simulations', ['--project', 'cluster'], { TIPHYS_SEEDS: values.seeds, TIPHYS_FIRST_SEED: values.seed });
run('fuzzing', ['--project', 'cluster', 'test/cluster/fuzz', '--testTimeout', '1800000'], {
  TIPHYS_FUZZ_SEED: values.seed,
  TIPHYS_FUZZ_FACTOR: values.fuzz,
  TIPHYS_FUZZ_COUNTS: '1',
  TIPHYS_FUZZ_HELD_MS: '1000',
  TIPHYS_SEED: values.seed,
});
run('slow conformance', ['--project', 'conformance', 'cron-job-schedules']);
run('many definitions', ['--project', 'cluster', 'test/cluster/api/many-definitions'], { TIPHYS_DEFINITIONS: '2000' });
for (let round = 1; round <= Number(values.rounds); round += 1) {
  run(`kill test ${round}`, ['--project', 'unit', 'src/store/lmdb/kill']);
}
console.log(failed === 0 ? 'all long runs passed' : `${failed} long runs failed`);
process.exitCode = failed === 0 ? 0 : 1;

function run(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): void {
  const started = performance.now();
  const result = spawnSync('vitest', ['run', ...args], { stdio: 'inherit', env: { ...process.env, ...env } });
  const seconds = ((performance.now() - started) / 1_000).toFixed(0);
  console.log(`--- ${name}: ${result.status === 0 ? 'ok' : 'FAILED'} in ${seconds} s`);
  if (result.status !== 0) failed += 1;
}
