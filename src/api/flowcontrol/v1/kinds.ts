import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS } from '../../generated/resources.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';

export const flowSchemas = defineKind(FLOW_SCHEMAS, {
  strategy: {
    ...statusRules,
    hasGeneration: true,
    applyDefaults({ spec }) {
      spec.matchingPrecedence ||= 1000;
    },
  },
  columns: [
    nameColumn,
    column(
      'PriorityLevel',
      'The priority level that requests go to.',
      ({ spec }) => spec.priorityLevelConfiguration.name,
    ),
    column(
      'MatchingPrecedence',
      'Which schema wins: the lowest number.',
      ({ spec }) => spec.matchingPrecedence ?? 1000,
      { type: 'integer' },
    ),
    column(
      'DistinguisherMethod',
      'How requests are told apart.',
      ({ spec }) => spec.distinguisherMethod?.type ?? '<none>',
    ),
    ageColumn,
    column('MissingPL', 'references a broken or non-existent PriorityLevelConfiguration', ({ status }) => {
      const dangling = status?.conditions?.find((condition) => condition.type === 'Dangling');
      return dangling?.status ?? '?';
    }),
  ],
});

export const priorityLevelConfigurations = defineKind(PRIORITY_LEVEL_CONFIGURATIONS, {
  strategy: {
    ...statusRules,
    hasGeneration: true,
    applyDefaults({ spec }) {
      const { limited, exempt } = spec;
      if (exempt !== undefined) {
        exempt.nominalConcurrencyShares ??= 0;
        exempt.lendablePercent ??= 0;
      }
      if (limited === undefined) return;
      limited.nominalConcurrencyShares ??= 30;
      limited.lendablePercent ??= 0;
      const queuing = limited.limitResponse?.queuing;
      if (queuing === undefined) return;
      queuing.handSize ||= 8;
      queuing.queues ||= 64;
      queuing.queueLengthLimit ||= 50;
    },
  },
  columns: [
    nameColumn,
    column('Type', 'Exempt from limits or limited.', ({ spec }) => spec.type),
    column(
      'NominalConcurrencyShares',
      "nominal share of the server's concurrency",
      ({ spec }) => spec.limited?.nominalConcurrencyShares ?? spec.exempt?.nominalConcurrencyShares ?? '<none>',
    ),
    column(
      'Queues',
      'How many queues there are.',
      ({ spec }) => spec.limited?.limitResponse?.queuing?.queues ?? '<none>',
    ),
    column(
      'HandSize',
      'How many queues a flow is dealt.',
      ({ spec }) => spec.limited?.limitResponse?.queuing?.handSize ?? '<none>',
    ),
    column(
      'QueueLengthLimit',
      'How many requests may wait in a queue.',
      ({ spec }) => spec.limited?.limitResponse?.queuing?.queueLengthLimit ?? '<none>',
    ),
    ageColumn,
  ],
});
