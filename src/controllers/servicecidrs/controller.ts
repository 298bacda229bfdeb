import { IP_ADDRESSES, SERVICE_CIDRS } from '#api/generated/resources.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { contains, planServiceCidr } from './plan.ts';

export const serviceCidrController: ControllerDefinition = {
  name: 'service-cidr-controller',
  aliases: ['service-cidr'],
  serviceAccount: 'service-cidrs-controller',
  eventSource: 'service-cidr-controller',
  run,
};

/** Guards the ranges of service addresses. Keys are names of ServiceCIDRs. */
async function run(context: ControllerContext): Promise<void> {
  const { client, executor } = context;
  const reconciler = new Reconciler(context);
  const enqueueAll = () => {
    for (const range of ranges.list()) reconciler.add(range.metadata.name ?? '');
  };
  const ranges = reconciler.watch(SERVICE_CIDRS, { onAdd: enqueueAll, onUpdate: enqueueAll, onDelete: enqueueAll });
  const addresses = reconciler.watch(IP_ADDRESSES, {
    onDelete: ({ metadata }) => {
      for (const range of ranges.list()) {
        const isWaiting = range.metadata.deletionTimestamp !== undefined;
        if (isWaiting && contains(range, metadata.name ?? '')) reconciler.add(range.metadata.name ?? '');
      }
    },
  });

  async function reconcile(name: string): Promise<RequeueInMs> {
    const range = ranges.get(name);
    if (range === undefined) return undefined;
    const action = planServiceCidr(range, { ranges: ranges.list(), addresses: () => addresses.list() });
    switch (action.type) {
      case 'none':
        return undefined;
      case 'setFinalizers': {
        const metadata = { ...range.metadata, finalizers: [...action.finalizers] };
        await client.update(SERVICE_CIDRS, { ...range, metadata });
        return undefined;
      }
      case 'setReady': {
        const condition = { ...action.condition, lastTransitionTime: formatTime(executor.clock.now()) };
        const others = (range.status?.conditions ?? []).filter(({ type }) => type !== 'Ready');
        const status = { ...range.status, conditions: [...others, condition] };
        await client.update(SERVICE_CIDRS, { ...range, status }, { subresource: 'status' });
        return undefined;
      }
    }
  }

  await reconciler.run({ workers: 1, reconcile });
}
