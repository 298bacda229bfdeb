import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { NODES } from '../support/kinds.ts';

conformanceTest(
  '[sig-architecture] Conformance Tests should have at least two untainted nodes [Conformance]',
  async ({ api }) => {
    const { items } = await api.of(NODES).list();
    const untainted = items.filter(
      ({ spec, status }) =>
        (spec?.taints ?? []).length === 0 &&
        status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True'),
    );
    expect(untainted.length).toBeGreaterThanOrEqual(2);
  },
);
