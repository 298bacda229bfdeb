import { defineConfig } from 'vitest/config';

const SEED = ['test/support/property-seed.ts'];

/** Four kinds of tests; `scripts/test.ts` runs them one after the other. */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts'], setupFiles: SEED, testTimeout: 30_000 } },
      { test: { name: 'cluster', include: ['test/cluster/**/*.test.ts'], setupFiles: SEED, testTimeout: 60_000 } },
      {
        test: {
          name: 'conformance',
          include: ['test/conformance/**/*.test.ts'],
          globalSetup: ['test/conformance/support/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
