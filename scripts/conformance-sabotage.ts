import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Sabotage, startSaboteur } from '../test/conformance/sabotage/saboteur.ts';
import { SABOTAGES } from '../test/conformance/sabotage/sabotages.ts';
import { type Connection, readKubeconfig } from '../test/conformance/support/kubeconfig.ts';
import { startOwnCluster } from '../test/conformance/support/own-cluster.ts';

/** What a broken behaviour is waited for; a whole one needs a fraction of it. */
const PATIENCE_MS = 4_000;
const AT_ONCE = 2;

interface Report {
  readonly testResults: readonly { readonly assertionResults: readonly { title: string; status: string }[] }[];
}

/**
 * Puts a proxy before the server that spoils one behaviour at a time, and runs the test that must notice. Before that
 * the same tests must pass through a proxy that spoils nothing. Resolves to the exit code.
 */
export async function runSabotage(given: string | undefined, filter: string | undefined): Promise<number> {
  const cluster =
    given === undefined ? await startOwnCluster() : { kubeconfig: given, remove: () => Promise.resolve() };
  const directory = mkdtempSync(join(tmpdir(), 'tiphys-sabotage-'));
  try {
    const connection = readKubeconfig(cluster.kubeconfig);
    const chosen = SABOTAGES.filter(({ name }) => filter === undefined || name.includes(filter));
    const untouched = await outcomes(connection, { name: 'nothing' }, { directory, tests: testsOf(chosen) });
    const broken = testsOf(chosen).filter((name) => untouched.get(name) !== 'passed');
    for (const name of broken) console.log(`fails without sabotage: ${name}`);
    const unnoticed: string[] = [];
    const queue = [...chosen];
    const worker = async () => {
      for (let sabotage = queue.shift(); sabotage !== undefined; sabotage = queue.shift()) {
        const { name, noticedBy } = sabotage;
        const results = await outcomes(connection, sabotage, { directory, tests: [noticedBy] });
        const isNoticed = results.get(noticedBy) === 'failed';
        console.log(`${isNoticed ? 'noticed' : 'NOT NOTICED'}: ${name}`);
        if (!isNoticed) unnoticed.push(name);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    console.log(`sabotage: ${chosen.length - unnoticed.length}/${chosen.length} noticed`);
    return unnoticed.length + broken.length === 0 ? 0 : 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
    await cluster.remove();
  }
}

function testsOf(sabotages: readonly Sabotage[]): string[] {
  return [...new Set(sabotages.map(({ noticedBy }) => noticedBy))];
}

/** The outcomes of some tests behind a saboteur, by name. */
async function outcomes(
  connection: Connection,
  sabotage: Omit<Sabotage, 'noticedBy'>,
  { directory, tests }: { directory: string; tests: readonly string[] },
): Promise<Map<string, string>> {
  const saboteur = await startSaboteur(connection, sabotage);
  const stem = join(directory, sabotage.name.replaceAll(/\W+/g, '-'));
  try {
    writeFileSync(`${stem}.kubeconfig`, kubeconfigOf(saboteur.url));
    await runTests({ kubeconfig: `${stem}.kubeconfig`, report: `${stem}.json`, tests });
    // Safe: vitest's own JSON reporter wrote it.
    const report = JSON.parse(readFileSync(`${stem}.json`, 'utf8')) as Report;
    const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
    return new Map(results.map(({ title, status }) => [title, status]));
  } finally {
    saboteur.close();
  }
}

function runTests(run: { kubeconfig: string; report: string; tests: readonly string[] }): Promise<void> {
  const pattern = run.tests.map((name) => name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
  const args = ['run', '--project', 'conformance', '--reporter=json', `--outputFile.json=${run.report}`];
  const env = {
    ...process.env,
    TIPHYS_CONFORMANCE_KUBECONFIG: run.kubeconfig,
    TIPHYS_CONFORMANCE_PATIENCE_MS: String(PATIENCE_MS),
  };
  const vitest = join('node_modules', 'vitest', 'vitest.mjs');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [vitest, ...args, '--testNamePattern', pattern], { stdio: 'ignore', env });
    child.on('error', reject);
    // Tests that fail are what is wanted: the report tells.
    child.on('close', () => resolve());
  });
}

function kubeconfigOf(url: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'saboteur',
    contexts: [{ name: 'saboteur', context: { cluster: 'saboteur', user: 'saboteur' } }],
    clusters: [{ name: 'saboteur', cluster: { server: url } }],
    users: [{ name: 'saboteur', user: {} }],
  });
}
