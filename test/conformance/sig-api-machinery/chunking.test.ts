import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { POD_TEMPLATES } from '../support/kinds.ts';

const TOTAL = 400;

conformanceTest(
  '[sig-api-machinery] Servers with support for API chunking should return chunks of results for list calls [Conformance]',
  async ({ api, namespace }) => {
    const templates = api.of(POD_TEMPLATES, namespace);
    const nameAt = (index: number) => `template-${String(index).padStart(4, '0')}`;
    for (let first = 0; first < TOTAL; first += 20) {
      const batch = Array.from({ length: 20 }, (_, index) => ({
        metadata: { name: nameAt(first + index) },
        template: { spec: { containers: [{ name: 'test', image: 'test2' }] } },
      }));
      await Promise.all(batch.map((template) => templates.create(template)));
    }

    // Chunks of several sizes: all objects once, in order, at one revision, with a right count of what is left.
    for (const limit of [1 + TOTAL / 2, TOTAL / 3 + 0.5, 40].map(Math.floor)) {
      let found = 0;
      let revision: string | undefined;
      let next: string | undefined;
      do {
        const list = await templates.list({ limit, ...(next === undefined ? {} : { continue: next }) });
        expect(list.items.length).toBeLessThanOrEqual(limit);
        for (const item of list.items) {
          expect(item.metadata?.name).toBe(nameAt(found));
          found += 1;
        }
        revision ??= list.metadata.resourceVersion;
        expect(list.metadata.resourceVersion).toBe(revision);
        next = list.metadata.continue === '' ? undefined : list.metadata.continue;
        const remaining = list.metadata.remainingItemCount;
        if (next === undefined) expect(remaining).toBeUndefined();
        else expect(remaining).toBe(TOTAL - found);
      } while (next !== undefined);
      expect(found).toBe(TOTAL);
    }

    const all = await templates.list({ limit: TOTAL + 1 });
    expect(all.items).toHaveLength(TOTAL);
    expect(all.metadata.continue ?? '').toBe('');
  },
);
