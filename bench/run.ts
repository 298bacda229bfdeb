/**
 * `npm run bench [-- NAME… | --all]`: measures the figures that the project promises, prints a table, writes JSON to
 * `bench/results/`, and fails where one is beyond its gate in `bench/gates.json`. The server runs from the build with a
 * data directory of its own; every client runs in another process.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Row } from './bench-server.ts';
import { largeScenarios, scenarios } from './scenarios.ts';

const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const gates: unknown = JSON.parse(readFileSync(join(import.meta.dirname, 'gates.json'), 'utf8'));
const rows: Row[] = [];
const all = { ...scenarios, ...largeScenarios };
const usual = process.argv.includes('--all') ? all : scenarios;
for (const [name, measure] of Object.entries(all)) {
  if (wanted.length > 0 ? !wanted.includes(name) : !(name in usual)) continue;
  process.stderr.write(`measuring: ${name} …\n`);
  rows.push(...(await measure()));
}
const failures = report(rows);
mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
const machine = {
  cpus: cpus().length,
  model: cpus()[0]?.model,
  memoryGb: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  loadAverage: loadavg(),
};
writeFileSync(join(import.meta.dirname, 'results', 'latest.json'), `${JSON.stringify({ machine, rows }, null, 2)}\n`);
process.exitCode = failures === 0 ? 0 : 1;

function report(measured: readonly Row[]): number {
  let failed = 0;
  for (const row of measured) {
    const shown = Object.entries(row.figures).map(([key, value]) => {
      const verdict = judge(row.name, key, value);
      if (verdict === 'beyond its gate') failed += 1;
      return `${key} ${value >= 100 ? value.toFixed(0) : value.toFixed(1)}${verdict === '' ? '' : ` (${verdict})`}`;
    });
    console.log(`${row.name}\n    ${shown.join(', ')}\n    ${row.conditions}`);
  }
  console.log(failed === 0 ? 'all figures within their gates' : `${failed} figures beyond their gates`);
  return failed;
}

function judge(name: string, key: string, value: number): '' | 'gate met' | 'beyond its gate' {
  const gate = member(member(gates, name), key);
  const min = member(gate, 'min');
  const max = member(gate, 'max');
  if (typeof min === 'number') return value >= min ? 'gate met' : 'beyond its gate';
  if (typeof max === 'number') return value <= max ? 'gate met' : 'beyond its gate';
  return '';
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
