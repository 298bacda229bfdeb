// Which room may import which: the table of docs/architecture.md, checked by `npm run layers`.
const ROOMS = {
  machinery: [],
  api: ['machinery'],
  net: ['machinery'],
  store: ['machinery', 'net'],
  client: ['machinery', 'api', 'net'],
  apiserver: ['machinery', 'api', 'net', 'store', 'client'],
  controllers: ['machinery', 'api', 'client'],
  scheduler: ['machinery', 'api', 'client'],
  node: ['machinery', 'api', 'client', 'net'],
  cluster: ['machinery', 'api', 'net', 'store', 'client', 'apiserver', 'controllers', 'scheduler', 'node'],
  cli: ['machinery', 'api', 'net', 'store', 'client', 'apiserver', 'controllers', 'scheduler', 'node', 'cluster'],
};

const room = Object.entries(ROOMS).map(([name, allowed]) => ({
  name: `room-${name}`,
  comment: `src/${name} may import only: ${allowed.join(', ') || 'nothing'} (docs/architecture.md)`,
  severity: 'error',
  from: { path: `^src/${name}/`, pathNot: '\\.test\\.ts$' },
  to: { path: '^src/', pathNot: `^src/(${[name, ...allowed].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...room,
    {
      name: 'no-cycles',
      comment: 'a cycle means that two files are one idea, or that a contract is missing',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'pure-rooms-do-no-io',
      comment: 'machinery and api take what they need as arguments; node:crypto is allowed for digests and randomness',
      severity: 'error',
      from: { path: '^src/(machinery|api)/', pathNot: '(\\.test\\.ts$|^src/api/schema/load\\.ts$)' },
      to: {
        dependencyTypes: ['core'],
        pathNot: '^(node:)?(crypto|util|buffer|async_hooks|perf_hooks|worker_threads)$',
      },
    },
    {
      name: 'internal-stays-internal',
      comment: 'a folder named internal/ is for its own room',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '/internal/', pathNot: '^src/$1/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js', '.json'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
