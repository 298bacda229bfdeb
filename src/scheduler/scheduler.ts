import type { Client } from '#client/client.ts';
import { EventRecorder } from '#client/events/event-recorder.ts';
import { InformerFactory } from '#client/informer/informer-factory.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { DecisionLog } from './decisions.ts';
import { defaultProfile } from './framework/default-profile.ts';
import type { ProfileEntry } from './framework/plugin.ts';
import { SchedulingLoop } from './scheduling-loop.ts';

export interface StartSchedulerOptions {
  /** Acts as `system:kube-scheduler`; stays the caller's to close. */
  readonly client: Client;
  readonly executor: Executor;
  readonly log: Logger;
  /** Pods of this `schedulerName` are its own. Default: `default-scheduler`. */
  readonly schedulerName?: string;
  /** Plugins in the order of their filters. Default: upstream's default profile. */
  readonly profile?: readonly ProfileEntry[];
}

export interface RunningScheduler {
  /** What was decided lately, and why. */
  readonly decisions: DecisionLog;
  /** How many pods wait where, how many were scheduled and how many cycles found no node. */
  stats(): Record<string, number>;
  /** Settles when nothing runs any more. */
  stop(): Promise<void>;
}

/** Starts a scheduler; settles when it knows the cluster and has begun. */
export async function startScheduler(options: StartSchedulerOptions): Promise<RunningScheduler> {
  const { client, executor, log } = options;
  const { clock, random } = executor;
  const schedulerName = options.schedulerName ?? 'default-scheduler';
  const informers = new InformerFactory({ client, executor, log, taskClass: 'scheduler' });
  const events = new EventRecorder({ client, clock, random, component: schedulerName, log });
  const decisions = new DecisionLog();
  const loop = new SchedulingLoop({
    client,
    executor,
    log,
    informers,
    events,
    decisions,
    schedulerName,
    profile: options.profile ?? defaultProfile,
  });
  informers.start();
  await loop.start();
  return {
    decisions,
    stats: () => loop.stats(),
    stop: async () => {
      await loop.stop();
      await informers.stop();
      await events.close();
    },
  };
}
