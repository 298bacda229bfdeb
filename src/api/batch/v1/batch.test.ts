import { fieldErrorText } from '#machinery/field/field-error.ts';
import { describe, expect, test } from 'vitest';
import type { CronJob, Job, JobSpec, JobStatus } from '../../generated/types.ts';
import { createErrors, defaulted, definitionOf, update } from '../../testing/kit.ts';
import { countIndexes, firstCommonIndex, parseIndexes } from './indexes.ts';
import { validateJobStatusUpdate } from './job-status.ts';

const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'x' }] } };
const metadata = { name: 'sum', namespace: 'default', uid: 'u1' };

function job(spec: Partial<JobSpec> = {}): Job {
  return { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: { template, ...spec } };
}

function cronJob(spec: Partial<CronJob['spec']> = {}): CronJob {
  const jobTemplate = { spec: { template } };
  return { apiVersion: 'batch/v1', kind: 'CronJob', metadata, spec: { schedule: '* * * * *', jobTemplate, ...spec } };
}

const indexed = { completionMode: 'Indexed', completions: 5 };
const exitCodes = { operator: 'In', values: [1] };

describe('a job', () => {
  const cases: [string, Job, string[]][] = [
    ['as it should be', job(), []],
    ['indexed', job({ ...indexed, successPolicy: { rules: [{ succeededIndexes: '0-2', succeededCount: 2 }] } }), []],
    [
      'indexed without a count',
      job({ completionMode: 'Indexed', parallelism: 1 }),
      ['spec.completions: Required value: when completion mode is Indexed'],
    ],
    [
      'with more failures than indexes',
      job({ ...indexed, backoffLimitPerIndex: 1, maxFailedIndexes: 6 }),
      ['spec.maxFailedIndexes: Invalid value: 6: must be less than or equal to completions'],
    ],
    [
      'with limits by index, but no indexes',
      job({ backoffLimitPerIndex: 1 }),
      ['spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode'],
    ],
    [
      'with a success policy, but no indexes',
      job({ successPolicy: { rules: [] } }),
      ['spec.successPolicy: Invalid value: {"rules":[]}: requires indexed completion mode'],
    ],
    [
      'with indexes that it does not have',
      job({ ...indexed, successPolicy: { rules: [{ succeededIndexes: '3,5' }] } }),
      [
        'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "3,5": error parsing succeededIndexes: too large index: "5"',
      ],
    ],
    [
      'with too few indexes',
      job({ ...indexed, successPolicy: { rules: [{ succeededIndexes: '0-2', succeededCount: 4 }] } }),
      [
        'spec.successPolicy.rules[0].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of indexes in the specified succeededIndexes field)',
      ],
    ],
    [
      'with a rule of nothing',
      job({ podFailurePolicy: { rules: [{ action: 'Count' }] } }),
      ['spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required'],
    ],
    [
      'with a rule of no known action',
      job({ podFailurePolicy: { rules: [{ action: 'Stop', onExitCodes: exitCodes }] } }),
      [
        'spec.podFailurePolicy.rules[0].action: Unsupported value: "Stop": supported values: "Count", "FailIndex", "FailJob", "Ignore"',
      ],
    ],
    [
      'with codes out of order',
      job({ podFailurePolicy: { rules: [{ action: 'Count', onExitCodes: { operator: 'In', values: [2, 0] } }] } }),
      [
        'spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator',
        'spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,0]: must be ordered',
      ],
    ],
    [
      'managed by no domain',
      job({ managedBy: 'me' }),
      ['spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")'],
    ],
    [
      'with pods of another job',
      job({ template: { ...template, metadata: { labels: { 'job-name': 'other' } } } }),
      [
        'spec.template.metadata.labels[job-name]: Invalid value: {"controller-uid":"u1","job-name":"other","batch.kubernetes.io/controller-uid":"u1","batch.kubernetes.io/job-name":"sum"}: must be \'sum\'',
      ],
    ],
  ];
  test.each(cases)('%s', (_name, object, errors) => {
    expect(createErrors(object)).toEqual(errors);
  });
});

describe('an update of a job', () => {
  const running = (spec: Partial<JobSpec>): Job => {
    const next = defaulted(job(spec));
    definitionOf(next).strategy.prepareForCreate?.(next, { nowMs: 0, uuid: () => '' });
    return next;
  };

  test('may suspend it, and grow an indexed one', () => {
    const { errors } = update(running({ ...indexed, parallelism: 5 }), ({ spec }) => {
      Object.assign(spec, { suspend: true, completions: 7, parallelism: 7 });
    });
    expect(errors).toEqual([]);
  });

  test('may not change how it counts', () => {
    const { errors } = update(running(indexed), ({ spec }) => {
      Object.assign(spec, { completionMode: 'NonIndexed', managedBy: 'a.io/b' });
    });
    expect(errors).toEqual([
      'spec.completionMode: Invalid value: "NonIndexed": field is immutable',
      'spec.managedBy: Invalid value: "a.io/b": field is immutable',
    ]);
  });

  const moved = ({ spec }: Job): void => {
    if (spec.template.spec !== undefined) spec.template.spec.nodeSelector = { a: 'b' };
  };

  test('may move the pods of a suspended one', () => {
    expect(update(running({ suspend: true }), moved).errors).toEqual([]);
  });

  test('may not move the pods of a running one', () => {
    expect(update(running({}), moved).errors).toEqual([
      expect.stringMatching(/^spec\.template: Invalid value: .*: field is immutable$/),
    ]);
  });
});

describe('the status of a job', () => {
  const status = (after: JobStatus, before: JobStatus = {}): string[] =>
    validateJobStatusUpdate({ ...job(indexed), status: after }, { ...job(indexed), status: before }).map(
      fieldErrorText,
    );
  const done = (type: string) => ({ type, status: 'True' });
  const startTime = '2026-01-01T00:00:00Z';

  const cases: [string, JobStatus, JobStatus, string[]][] = [
    [
      'comes to its end',
      {
        startTime,
        completionTime: '2026-01-01T00:01:00Z',
        conditions: [done('SuccessCriteriaMet'), done('Complete')],
      },
      { startTime },
      [],
    ],
    [
      'has no end without a time',
      { startTime, conditions: [done('SuccessCriteriaMet'), done('Complete')] },
      { startTime },
      ['status.completionTime: Required value: completionTime is required for Complete jobs'],
    ],
    [
      'never takes an end back',
      { startTime },
      { startTime, conditions: [done('FailureTarget')] },
      ['status.conditions: Invalid value: cannot disable the terminal FailureTarget=True condition'],
    ],
    [
      'counts up only',
      { failed: 1 },
      { failed: 2 },
      ['status.failed: Invalid value: 1: cannot decrease the failed counter'],
    ],
    [
      'has no more ready than active pods',
      { active: 1, ready: 2 },
      {},
      ['status.ready: Invalid value: 2: cannot set more ready pods than active'],
    ],
  ];
  test.each(cases)('%s', (_name, after, before, errors) => {
    expect(status(after, before)).toEqual(errors);
  });
});

describe('a cron job', () => {
  const cases: [string, CronJob, string[]][] = [
    ['in a zone', cronJob({ timeZone: 'Europe/Rome' }), []],
    [
      'with four fields',
      cronJob({ schedule: '* * * *' }),
      ['spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]'],
    ],
    [
      'with a zone in the schedule',
      cronJob({ schedule: 'TZ=UTC * * * * *' }),
      [
        'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
      ],
    ],
    [
      'in no known zone',
      cronJob({ timeZone: 'Mars/Base' }),
      ['spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base'],
    ],
    [
      'in the zone of the machine',
      cronJob({ timeZone: 'Local' }),
      [
        'spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
      ],
    ],
    [
      'with a selector of its own',
      cronJob({ jobTemplate: { spec: { template, manualSelector: true } } }),
      ['spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"'],
    ],
  ];
  test.each(cases)('%s', (_name, object, errors) => {
    expect(createErrors(object)).toEqual(errors);
  });
});

test('indexes as text', () => {
  expect(parseIndexes('1,3-5,7', 8)).toEqual([
    [1, 1],
    [3, 5],
    [7, 7],
  ]);
  expect(
    countIndexes([
      [1, 1],
      [3, 5],
    ]),
  ).toBe(4);
  expect(
    firstCommonIndex(
      [
        [0, 2],
        [5, 9],
      ],
      [
        [3, 4],
        [7, 7],
      ],
    ),
  ).toBe(7);
  expect(firstCommonIndex([[0, 2]], [[3, 4]])).toBeUndefined();
  expect(parseIndexes('3,2', 8)).toBe('non-increasing order, previous: 3, current: 2');
  expect(parseIndexes('1-2-3', 8)).toContain('at most two parts');
  expect(parseIndexes('x', 8)).toBe('cannot convert string to integer for index: "x"');
});
