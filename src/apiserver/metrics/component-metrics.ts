import type { FeatureState } from '#api/features/feature-gates.ts';
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';
import { VERSION } from '../endpoints/version.ts';

/** What every component of Kubernetes says of itself: its build and the features that are on or off. */
export function addComponentMetrics(registry: Registry, features: () => readonly FeatureState[]): void {
  const build = new Gauge({
    name: 'kubernetes_build_info',
    help: 'Always 1; its labels say what was built from what.',
    labelNames: ['major', 'minor', 'git_version', 'git_commit', 'git_tree_state', 'build_date', 'compiler', 'platform'],
    registers: [registry],
  });
  const { major, minor, gitVersion, gitCommit, gitTreeState, buildDate, compiler, platform } = VERSION;
  const git = { git_version: gitVersion, git_commit: gitCommit, git_tree_state: gitTreeState };
  build.set({ major, minor, ...git, build_date: buildDate, compiler, platform }, 1);
  new Gauge({
    name: 'kubernetes_feature_enabled',
    help: 'Features by name and stage: 1 where on, 0 where off.',
    labelNames: ['name', 'stage'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, stage, isEnabled } of features()) {
        this.set({ name, stage: stage === 'GA' ? '' : stage }, isEnabled ? 1 : 0);
      }
    },
  });
}

/** `process_…` and `nodejs_…`: of the whole process, whichever components share it. */
export function addProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
}
