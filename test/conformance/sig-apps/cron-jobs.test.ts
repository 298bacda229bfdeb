import { conformanceTest } from '../support/conformance-test.ts';
import { exerciseApiOperations } from '../support/crud.ts';
import { kindOf } from '../support/kinds.ts';

conformanceTest(
  '[sig-apps] CronJob should support CronJob API operations [Conformance]',
  async ({ api, namespace, unique }) => {
    const containers = [{ name: 'c', image: 'busybox' }];
    const jobTemplate = { spec: { template: { spec: { restartPolicy: 'OnFailure', containers } } } };
    await exerciseApiOperations(api, {
      kind: kindOf('batch/v1', 'CronJob', 'cronjobs'),
      namespace,
      // A day that does not come: the schedule is not what is tested.
      body: { spec: { schedule: '0 0 31 2 *', concurrencyPolicy: 'Allow', jobTemplate } },
      status: { lastScheduleTime: '2026-01-02T03:04:05Z' },
      unique,
    });
  },
);
