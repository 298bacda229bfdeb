import {
  MANDATORY_LEVELS,
  MANDATORY_SCHEMAS,
  SUGGESTED_LEVELS,
  SUGGESTED_SCHEMAS,
} from '#api/flowcontrol/v1/bootstrap.ts';
import { FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS } from '#api/generated/resources.ts';
import type { FlowSchema, PriorityLevelConfiguration } from '#api/generated/types.ts';
import type { Client } from '#client/client.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { ResourceView, ServerParts } from '../server-parts.ts';
import { type KeepAction, KeptObjects } from './kept-objects.ts';

const GROUP = 'flowcontrol.apiserver.k8s.io';
/** `true`: the server keeps the spec; anything else: the administrator does. */
const ANNOTATION = 'apf.kubernetes.io/autoupdate-spec';

type Deps = { client: Client; executor: Executor; log: Logger };

/** Keeps the priority levels and flow schemas that every cluster has, and each schema's `Dangling` condition. */
export function keepFlowControl(
  parts: ServerParts,
  deps: Deps,
): [KeptObjects<PriorityLevelConfiguration>, KeptObjects<FlowSchema>] {
  const levels = parts.view(GROUP, 'prioritylevelconfigurations');
  const schemas = parts.view(GROUP, 'flowschemas');
  const ownLevels = named(MANDATORY_LEVELS, SUGGESTED_LEVELS);
  const ownSchemas = named(MANDATORY_SCHEMAS, SUGGESTED_SCHEMAS);
  return [
    new KeptObjects<PriorityLevelConfiguration>(
      {
        resource: PRIORITY_LEVEL_CONFIGURATIONS,
        view: levels,
        names: () => [...ownLevels.keys()],
        plan: (name, current) => planSpec(ownLevels.get(name), current) ?? { type: 'none' },
      },
      deps,
    ),
    new KeptObjects<FlowSchema>(
      {
        resource: FLOW_SCHEMAS,
        view: schemas,
        dependsOn: [levels],
        names: () => [...ownSchemas.keys()],
        plan: (name, current) =>
          planSpec(ownSchemas.get(name), current) ?? planDangling(current, levels, deps.executor.clock.now()),
      },
      deps,
    ),
  ];
}

interface Own<T> {
  readonly object: T;
  readonly isMandatory: boolean;
}

type Configured = FlowSchema | PriorityLevelConfiguration;

function named<T extends Configured>(mandatory: readonly T[], suggested: readonly T[]): Map<string, Own<T>> {
  return new Map(
    [
      ...mandatory.map((object) => ({ object, isMandatory: true })),
      ...suggested.map((object) => ({ object, isMandatory: false })),
    ].map((own) => [own.object.metadata.name ?? '', own]),
  );
}

/** Undefined where the object is as it should be, or somebody else's. */
function planSpec<T extends Configured>(own: Own<T> | undefined, current: T | undefined): KeepAction<T> | undefined {
  if (own === undefined) return undefined;
  const { object, isMandatory } = own;
  const annotations = { [ANNOTATION]: 'true' };
  if (current === undefined) {
    return { type: 'create', object: { ...object, metadata: { ...object.metadata, annotations } } };
  }
  const annotation = current.metadata.annotations?.[ANNOTATION];
  // Without the annotation, a suggested object is ours as long as nobody changed it.
  const isKept =
    isMandatory || annotation === 'true' || (annotation === undefined && current.metadata.generation === 1);
  // What may be borrowed from the exempt level is the administrator's to say.
  const isSpecRight = isMandatory || deepEqual(current.spec, object.spec);
  if (!isKept || (isSpecRight && (annotation === 'true' || (!isMandatory && annotation !== undefined))))
    return undefined;
  const metadata = { ...current.metadata, annotations: { ...current.metadata.annotations, ...annotations } };
  return { type: 'update', object: { ...current, metadata, ...(isMandatory ? {} : { spec: object.spec }) } };
}

/** Whether the level that a schema sends its requests to is there. */
function planDangling(schema: FlowSchema | undefined, levels: ResourceView, nowMs: number): KeepAction<FlowSchema> {
  if (schema === undefined) return { type: 'none' };
  const level = schema.spec?.priorityLevelConfiguration.name ?? '';
  const isFound = levels.get(level) !== undefined;
  const status = isFound ? 'False' : 'True';
  const before = schema.status?.conditions ?? [];
  const known = before.find(({ type }) => type === 'Dangling');
  if (known?.status === status) return { type: 'none' };
  const subject = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  const condition = {
    type: 'Dangling',
    status,
    lastTransitionTime: formatTime(nowMs),
    reason: isFound ? 'Found' : 'NotFound',
    message: isFound ? `${subject} and it exists` : `${subject} but there is no such object`,
  };
  const conditions = [...before.filter(({ type }) => type !== 'Dangling'), condition];
  return { type: 'update', object: { ...schema, status: { ...schema.status, conditions } }, subresource: 'status' };
}
