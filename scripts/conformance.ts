import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { officialTests, type OfficialTest } from '../test/conformance/support/official-tests.ts';
import { runSabotage } from './conformance-sabotage.ts';

/**
 * Runs the conformance tests against a cluster (`--encoding protobuf`: in that form) and counts: how many of the official
 * names have a test that passes, by group and by special interest group. `npm run conformance -- --kubeconfig FILE`;
 * without a file, a cluster is started.
 * `--report FILE` only counts an earlier run's results; `--filter TEXT` runs the tests whose name has it; `--missing`
 * lists the official names that no test carries. `--sabotage` breaks one behaviour of the server at a time and demands
 * that a test notices.
 */
interface VitestReport {
  readonly testResults: readonly { readonly assertionResults: readonly { title: string; status: string }[] }[];
}

const REPORT = join('.cache', 'test-reports', 'conformance.json');

if (process.argv.includes('--sabotage'))
  process.exitCode = await runSabotage(option('--kubeconfig'), option('--filter'));
else main();

function main(): void {
  const kubeconfig = option('--kubeconfig');
  const given = option('--report');
  const filter = option('--filter');
  let code = 0;
  if (given === undefined) {
    mkdirSync(join('.cache', 'test-reports'), { recursive: true });
    rmSync(REPORT, { force: true });
    code = runTests(kubeconfig, filter);
  }
  // Safe: vitest's own JSON reporter wrote it.
  const report = JSON.parse(readFileSync(given ?? REPORT, 'utf8')) as VitestReport;
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  const passed = new Set(results.filter(({ status }) => status === 'passed').map(({ title }) => title));
  const failed = results.filter(({ status }) => status === 'failed').map(({ title }) => title);
  const tests = officialTests();
  print('group', tests, passed, ({ group }) => group);
  print('sig', tests, passed, ({ sig }) => sig);
  if (process.argv.includes('--missing')) {
    const known = new Set(results.map(({ title }) => title));
    for (const { name, group } of tests) if (!known.has(name)) console.log(`missing (${group}): ${name}`);
  }
  for (const title of failed) console.log(`failed: ${title}`);
  console.log(
    `conformance: ${tests.filter(({ name }) => passed.has(name)).length}/${tests.length} official tests pass`,
  );
  process.exitCode = failed.length > 0 ? 1 : code;
}

function runTests(kubeconfig: string | undefined, filter: string | undefined): number {
  const args = ['run', '--project', 'conformance', '--reporter=dot', '--reporter=json', `--outputFile.json=${REPORT}`];
  // vitest takes a pattern; names are full of brackets.
  if (filter !== undefined) args.push('--testNamePattern', filter.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const env = {
    ...process.env,
    TIPHYS_CONFORMANCE_ENCODING: option('--encoding') ?? 'json',
    ...(kubeconfig === undefined ? {} : { TIPHYS_CONFORMANCE_KUBECONFIG: resolve(kubeconfig) }),
  };
  const vitest = join('node_modules', 'vitest', 'vitest.mjs');
  return spawnSync(process.execPath, [vitest, ...args], { stdio: 'inherit', env }).status ?? 1;
}

function print(
  title: string,
  tests: readonly OfficialTest[],
  passed: ReadonlySet<string>,
  keyOf: (test: OfficialTest) => string,
): void {
  const counts = new Map<string, { passed: number; total: number }>();
  for (const test of tests) {
    const count = counts.get(keyOf(test)) ?? { passed: 0, total: 0 };
    counts.set(keyOf(test), { passed: count.passed + (passed.has(test.name) ? 1 : 0), total: count.total + 1 });
  }
  for (const [key, count] of [...counts].toSorted(([a], [b]) => a.localeCompare(b))) {
    console.log(`${title} ${key}: ${count.passed}/${count.total}`);
  }
}

function option(name: string): string | undefined {
  const index = process.argv.indexOf(name);
  return index < 0 ? undefined : process.argv[index + 1];
}
