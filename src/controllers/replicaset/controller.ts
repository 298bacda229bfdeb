import { REPLICA_SETS } from '#api/generated/resources.ts';
import type { ControllerDefinition } from '../controller.ts';
import { ReplicaController } from './replica-controller.ts';
import { workloadOfReplicaSet } from './workload.ts';

export const replicaSetController: ControllerDefinition = {
  name: 'replicaset-controller',
  aliases: ['replicaset'],
  serviceAccount: 'replicaset-controller',
  eventSource: 'replicaset-controller',
  run: (context) =>
    new ReplicaController(context, {
      resource: REPLICA_SETS,
      workloadOf: workloadOfReplicaSet,
      countsTerminating: true,
    }).run(),
};
