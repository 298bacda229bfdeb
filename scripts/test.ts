import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Everything that decides whether a change may land, in order, each step with its time. Ends with one line that counts
 * the tests: `tests: N passed, N failed, N skipped`. `npm test -- --only unit` runs one step.
 */
interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** Where a vitest step leaves its counts. */
  readonly report?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const REPORTS = join('.cache', 'test-reports');
const NODE = process.execPath;
/** Tests that wait for real minutes run in `npm run conformance` and `npm run test:long`. */
const WITHOUT_SLOW = { TIPHYS_CONFORMANCE_SLOW: 'skip' };
const steps: Step[] = [
  { name: 'format', command: ['biome', 'format', '.'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings', '.'] },
  { name: 'types', command: [NODE, 'node_modules/tsc7/bin/tsc', '--noEmit', '-p', 'tsconfig.json'] },
  { name: 'layers', command: [NODE, 'scripts/check-layers.ts'] },
  vitest('unit', ['--project', 'unit']),
  vitest('cluster', ['--project', 'cluster']),
  { ...vitest('conformance', ['--project', 'conformance']), env: WITHOUT_SLOW },
  {
    ...vitest('conformance-protobuf', ['--project', 'conformance']),
    env: { ...WITHOUT_SLOW, TIPHYS_CONFORMANCE_ENCODING: 'protobuf' },
  },
  vitest('e2e', ['--project', 'e2e']),
];

main();

function main(): void {
  const wanted = process.argv.includes('--only')
    ? process.argv[process.argv.indexOf('--only') + 1]?.split(',')
    : undefined;
  rmSync(REPORTS, { recursive: true, force: true });
  mkdirSync(REPORTS, { recursive: true });
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const failedSteps: string[] = [];
  for (const step of steps) {
    if (wanted !== undefined && !wanted.includes(step.name)) continue;
    const started = performance.now();
    const [command = '', ...args] = step.command;
    const result = spawnSync(command, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...environment(), ...step.env },
    });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const ok = result.status === 0;
    if (!ok) failedSteps.push(step.name);
    console.log(`--- ${step.name}: ${ok ? 'ok' : 'FAILED'} in ${seconds} s`);
    if (step.report !== undefined) addCounts(counts, step.report);
  }
  if (failedSteps.length > 0) console.log(`failed steps: ${failedSteps.join(', ')}`);
  const failed = Math.max(counts.failed, failedSteps.length > 0 ? 1 : 0);
  console.log(`tests: ${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped`);
  process.exitCode = failedSteps.length === 0 && counts.failed === 0 ? 0 : 1;
}

function vitest(name: string, args: readonly string[]): Step {
  const report = join(REPORTS, `${name}.json`);
  return {
    name,
    report,
    command: ['vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...args],
  };
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${join(process.cwd(), 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}` };
}

function addCounts(counts: { passed: number; failed: number; skipped: number }, report: string): void {
  if (!existsSync(report)) {
    counts.failed += 1;
    return;
  }
  const parsed: unknown = JSON.parse(readFileSync(report, 'utf8'));
  const numberAt = (key: string): number => {
    const value = typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, key) : undefined;
    return typeof value === 'number' ? value : 0;
  };
  counts.passed += numberAt('numPassedTests');
  counts.failed += numberAt('numFailedTests');
  counts.skipped += numberAt('numPendingTests') + numberAt('numTodoTests');
}
