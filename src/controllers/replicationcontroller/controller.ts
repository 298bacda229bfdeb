import { REPLICATION_CONTROLLERS } from '#api/generated/resources.ts';
import type { ControllerDefinition } from '../controller.ts';
import { ReplicaController } from '../replicaset/replica-controller.ts';
import { workloadOfController } from '../replicaset/workload.ts';

export const replicationControllerController: ControllerDefinition = {
  name: 'replicationcontroller-controller',
  aliases: ['replicationcontroller'],
  serviceAccount: 'replication-controller',
  eventSource: 'replication-controller',
  run: (context) =>
    new ReplicaController(context, {
      resource: REPLICATION_CONTROLLERS,
      workloadOf: workloadOfController,
      countsTerminating: false,
    }).run(),
};
