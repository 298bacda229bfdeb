import type { Dialect } from './schema-writer.ts';

type Json = Readonly<Record<string, unknown>>;

/** A parameter of an operation; its schema is a type's name but for bodies. */
export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'path' | 'body';
  readonly type?: 'string' | 'boolean' | 'integer';
  readonly isRequired?: boolean;
  readonly schema?: Json;
  /** Name under the document's shared `parameters`, in version 2, where upstream shares it. */
  readonly shared?: string;
}

const query = (name: string, type: NonNullable<Parameter['type']>, suffix?: string): Parameter => ({
  name,
  in: 'query',
  type,
  ...(suffix === undefined ? {} : { shared: `${name}-${suffix}` }),
});

const PRETTY = query('pretty', 'string', 'tJGM1-ng');
const DRY_RUN = query('dryRun', 'string');
const FIELD_VALIDATION = query('fieldValidation', 'string');
const FIELD_MANAGER = query('fieldManager', 'string', 'Qy4HdaTW');

const LISTING: readonly Parameter[] = [
  query('continue', 'string', 'QfD61s0i'),
  query('fieldSelector', 'string', 'xIcQKXFG'),
  query('labelSelector', 'string', '5Zw57w4C'),
  query('limit', 'integer', '1NfNmdNH'),
  query('resourceVersion', 'string', '5WAnf1kx'),
  query('resourceVersionMatch', 'string', 't8XhRHeC'),
  query('sendInitialEvents', 'boolean', 'rLXlEK_k'),
  query('timeoutSeconds', 'integer', 'yvYezaOC'),
];

const DELETING: readonly Parameter[] = [
  DRY_RUN,
  query('gracePeriodSeconds', 'integer', '-K5HaBOS'),
  query('ignoreStoreReadErrorWithClusterBreakingPotential', 'boolean', 'QbNkfIqj'),
  query('orphanDependents', 'boolean', 'uRB25kX5'),
  query('propagationPolicy', 'string', '6jk3prlO'),
];

export const NAMESPACE: Parameter = {
  name: 'namespace',
  in: 'path',
  type: 'string',
  isRequired: true,
  shared: 'namespace-vgWSWtn3',
};
export const NAME: Parameter = { name: 'name', in: 'path', type: 'string', isRequired: true };
export const PROXY_PATH: Parameter = {
  name: 'path',
  in: 'path',
  type: 'string',
  isRequired: true,
  shared: 'path-z6Ciiujn',
};
export const LOG_PATH: Parameter = {
  name: 'logpath',
  in: 'path',
  type: 'string',
  isRequired: true,
  shared: 'logpath-Noq7euwC',
};

export const WATCHING: readonly Parameter[] = [
  query('allowWatchBookmarks', 'boolean', 'HC2hJt-J'),
  ...LISTING,
  PRETTY,
  query('watch', 'boolean', 'XNNPZGbK'),
];

/** What each verb takes besides names and bodies. */
export const VERB_PARAMETERS: Readonly<Record<string, readonly Parameter[]>> = {
  get: [PRETTY],
  list: WATCHING,
  create: [DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION, PRETTY],
  update: [DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION, PRETTY],
  patch: [
    DRY_RUN,
    query('fieldManager', 'string', '7c6nTn1T'),
    FIELD_VALIDATION,
    query('force', 'boolean', 'tOGGb0Yi'),
    PRETTY,
  ],
  delete: [...DELETING, PRETTY],
  deletecollection: [...DELETING, ...LISTING, PRETTY],
};

/** The options of subresources that connect to something, by kind; and those of logs. */
export const CONNECT_PARAMETERS: Readonly<Record<string, readonly Parameter[]>> = {
  PodAttachOptions: [
    query('container', 'string', '_Q-EJ3nR'),
    query('stderr', 'boolean', '26jJhFUR'),
    query('stdin', 'boolean', 'sEFnN3IS'),
    query('stdout', 'boolean', '005YMKE6'),
    query('tty', 'boolean', 'g7MlET_l'),
  ],
  PodExecOptions: [
    query('command', 'string', 'Py3eQybp'),
    query('container', 'string', 'i5dOmRiM'),
    query('stderr', 'boolean', 'W_1TNlWc'),
    query('stdin', 'boolean', 'PSzNhyUC'),
    query('stdout', 'boolean', '-EZLRwV1'),
    query('tty', 'boolean', 's0flW37O'),
  ],
  PodPortForwardOptions: [query('ports', 'integer', '91KROJmm')],
  PodProxyOptions: [query('path', 'string', 'oPbzgLUj')],
  ServiceProxyOptions: [query('path', 'string', 'QCf0eosM')],
  NodeProxyOptions: [query('path', 'string', 'rFDtV0x9')],
};
export const LOG_PARAMETERS: readonly Parameter[] = [
  query('container', 'string', '1GeXxFDC'),
  query('follow', 'boolean', '9OIXh_2R'),
  query('insecureSkipTLSVerifyBackend', 'boolean', 'gM00jVbe'),
  query('limitBytes', 'integer', 'zwd1RXuc'),
  PRETTY,
  query('previous', 'boolean', '1jxDPu3y'),
  query('sinceSeconds', 'integer', 'vE2NLdnP'),
  query('stream', 'string', 'l-48cgXv'),
  query('tailLines', 'integer', '9xQLWHMV'),
  query('timestamps', 'boolean', 'c17fW1w_'),
];

export const DELETE_OPTIONS_BODY: Parameter = {
  name: 'body',
  in: 'body',
  schema: { $ref: '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions' },
  shared: 'body-2Y1dVQaQ',
};
export const PATCH_BODY: Parameter = {
  name: 'body',
  in: 'body',
  isRequired: true,
  schema: { $ref: '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Patch' },
  shared: 'body-78PwaGsr',
};

/** Parameters as a document writes them, sorted as upstream sorts: by name, path before query. */
export function writeParameters(parameters: readonly Parameter[], dialect: Dialect): Json[] {
  return parameters
    .toSorted((a, b) => (a.name === b.name ? (a.in < b.in ? -1 : 1) : a.name < b.name ? -1 : 1))
    .map((parameter) => {
      if (dialect === 'v3') return writeV3(parameter);
      return parameter.shared === undefined ? writeV2(parameter) : { $ref: `#/parameters/${parameter.shared}` };
    });
}

/** The shared parameters of a version 2 document that its operations refer to. */
export function sharedParameters(): Record<string, Json> {
  const all = [
    ...Object.values(VERB_PARAMETERS).flat(),
    ...Object.values(CONNECT_PARAMETERS).flat(),
    ...LOG_PARAMETERS,
    NAMESPACE,
    PROXY_PATH,
    LOG_PATH,
    DELETE_OPTIONS_BODY,
    PATCH_BODY,
  ];
  const shared = new Map<string, Json>();
  for (const parameter of all) if (parameter.shared !== undefined) shared.set(parameter.shared, writeV2(parameter));
  return Object.fromEntries([...shared].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function writeV2({ name, in: place, type, isRequired, schema }: Parameter): Json {
  const required = isRequired === true ? { required: true } : {};
  if (schema !== undefined) return { in: place, name, ...required, schema };
  return { in: place, name, ...required, type, uniqueItems: true };
}

function writeV3({ name, in: place, type, isRequired }: Parameter): Json {
  return { name, in: place, ...(isRequired === true ? { required: true } : {}), schema: { type, uniqueItems: true } };
}
