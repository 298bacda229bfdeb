/**
 * Rules of custom resources and policies evaluated per second, and expressions compiled per second, in this process.
 * Run alone with `node bench/cel.ts`.
 */
import { kubernetesEnvironment } from '#machinery/cel/kubernetes/environment.ts';
import { SchemaTypes } from '#machinery/cel/kubernetes/schema-types.ts';
import { DYN } from '#machinery/cel/types/type.ts';

export interface CelFigures {
  readonly rule: string;
  readonly evaluationsPerSecond: number;
  readonly microsecondsEach: number;
}

const TYPES = new SchemaTypes({
  type: 'object',
  properties: {
    minReplicas: { type: 'integer' },
    replicas: { type: 'integer' },
    maxReplicas: { type: 'integer' },
    name: { type: 'string' },
    list: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } },
  },
});

const SELF = {
  minReplicas: 1,
  replicas: 2,
  maxReplicas: 3,
  name: 'web',
  list: Array.from({ length: 10 }, (_, index) => ({ name: `item${'abcdefghij'.charAt(index)}` })),
};
const OBJECT = { metadata: { name: 'web', labels: { env: 'prod', team: 'a' } }, spec: { replicas: 3 } };

const RULES: readonly string[] = [
  'self.minReplicas <= self.replicas && self.replicas <= self.maxReplicas',
  '!has(oldSelf.name) || self.name == oldSelf.name',
  "self.list.all(x, x.name.matches('^[a-z]+$'))",
  "object.metadata.labels.?env.orValue('none') == 'prod' && object.spec.replicas < 5",
  "quantity('1Gi').isGreaterThan(quantity('500Mi'))",
];

const WARM_UP = 20_000;
const ROUND_MS = 400;

/** Each rule for a while; the first ones are not counted. */
export function measureCel(now: () => number): CelFigures[] {
  const self = TYPES.root?.type ?? DYN;
  const environment = kubernetesEnvironment().extend({
    provider: TYPES,
    variables: { self, oldSelf: self, object: DYN },
  });
  const activation = { self: SELF, oldSelf: SELF, object: OBJECT };
  return RULES.map((rule) => {
    const compiled = environment.compile(rule);
    if (!compiled.ok) throw new Error(`cannot compile ${rule}`);
    const { program } = compiled;
    return { rule, ...timed(now, () => program.evaluate(activation)) };
  }).concat({ rule: 'compiling the first rule', ...timed(now, () => environment.compile(RULES[0] ?? ''), 2_000) });
}

function timed(now: () => number, run: () => unknown, warmUp = WARM_UP): Omit<CelFigures, 'rule'> {
  for (let index = 0; index < warmUp; index++) run();
  let count = 0;
  const start = now();
  while (now() - start < ROUND_MS) {
    for (let index = 0; index < 500; index++) run();
    count += 500;
  }
  const seconds = (now() - start) / 1000;
  return { evaluationsPerSecond: Math.round(count / seconds), microsecondsEach: (seconds * 1e6) / count };
}

if (import.meta.main) {
  for (const { rule, evaluationsPerSecond, microsecondsEach } of measureCel(() => performance.now())) {
    console.log(`${evaluationsPerSecond.toLocaleString('en')} /s, ${microsecondsEach.toFixed(2)} µs: ${rule}`);
  }
}
