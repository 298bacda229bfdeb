import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cruise } from 'dependency-cruiser';
import extractConfiguration from 'dependency-cruiser/config-utl/extract-depcruise-options';
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config';

/**
 * Checks the one-way doors between the rooms. Fails when it sees fewer modules than there are files: a cruiser that
 * cannot parse TypeScript reports success over nothing.
 */
const options = await extractConfiguration('./.dependency-cruiser.cjs');
const result = await cruise(['src'], options, undefined, { tsConfig: extractTsConfig('./tsconfig.json') });
if (typeof result.output === 'string') throw new Error(result.output);
const { modules, summary } = result.output;
const files = readdirSync('src', { recursive: true }).filter((name) => String(name).endsWith('.ts'));
const seen = new Set(modules.map((module) => module.source));
const unseen = files.map((name) => join('src', String(name))).filter((path) => !seen.has(path));
if (unseen.length > 0) {
  console.error(`layers: ${unseen.length} files were not seen, such as ${unseen.slice(0, 5).join(', ')}`);
  process.exitCode = 1;
}
for (const violation of summary.violations) {
  const rule = options.ruleSet?.forbidden?.find((candidate) => candidate.name === violation.rule.name);
  const cycle = violation.cycle?.map((part) => part.name).join(' -> ');
  console.error(`layers: ${violation.from} -> ${cycle ?? violation.to}: ${rule?.comment ?? violation.rule.name}`);
  process.exitCode = 1;
}
if (process.exitCode !== 1) console.log(`layers: ${seen.size} modules, no forbidden import, no cycle`);
