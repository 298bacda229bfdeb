import type { Node } from '#api/generated/types.ts';
import type { ControllerOptions } from '../options.ts';

/** How a failure zone is doing; decides how fast its nodes may be evicted. */
export type ZoneState = 'normal' | 'partialDisruption' | 'fullDisruption';

export interface ZoneCount {
  readonly ready: number;
  readonly notReady: number;
}

/** The zone's name as upstream builds it from region and zone labels; empty where the node has neither. */
export function zoneOf(node: Node): string {
  const labels = node.metadata.labels ?? {};
  const region = labels['topology.kubernetes.io/region'] ?? '';
  const zone = labels['topology.kubernetes.io/zone'] ?? '';
  return region === '' && zone === '' ? '' : `${region}:\0:${zone}`;
}

export function zoneState({ ready, notReady }: ZoneCount, unhealthyThreshold: number): ZoneState {
  if (ready === 0 && notReady > 0) return 'fullDisruption';
  const isUnhealthy = notReady > 2 && notReady / (ready + notReady) >= unhealthyThreshold;
  return isUnhealthy ? 'partialDisruption' : 'normal';
}

/**
 * Evictions a second in each zone. Where every zone is down, the fault is most likely on this side, and nothing is
 * evicted.
 */
export function evictionRates(
  zones: ReadonlyMap<string, ZoneCount>,
  options: Pick<
    ControllerOptions,
    'nodeEvictionRate' | 'secondaryNodeEvictionRate' | 'unhealthyZoneThreshold' | 'largeClusterSizeThreshold'
  >,
): Map<string, number> {
  const states = new Map(
    [...zones].map(([zone, count]) => [zone, zoneState(count, options.unhealthyZoneThreshold)] as const),
  );
  const isAllDown = states.size > 0 && [...states.values()].every((state) => state === 'fullDisruption');
  const rates = new Map<string, number>();
  for (const [zone, count] of zones) {
    const isLarge = count.ready + count.notReady > options.largeClusterSizeThreshold;
    const rate =
      states.get(zone) === 'partialDisruption'
        ? isLarge
          ? options.secondaryNodeEvictionRate
          : 0
        : options.nodeEvictionRate;
    rates.set(zone, isAllDown ? 0 : rate);
  }
  return rates;
}

type RateOptions = Parameters<typeof evictionRates>[1];

/** Eviction rates, kept up to date as nodes come, go, fail and recover. */
export class ZoneRates {
  readonly #options: RateOptions;
  readonly #zones = new Map<string, { ready: number; notReady: number }>();
  #rates = new Map<string, number>();

  constructor(options: RateOptions) {
    this.#options = options;
  }

  of(zone: string): number {
    return this.#rates.get(zone) ?? 0;
  }

  /** A node changed from one state to another (undefined: it was not, or is no longer there). Whether rates changed. */
  move(
    before: { zone: string; isReady: boolean } | undefined,
    after: { zone: string; isReady: boolean } | undefined,
  ): boolean {
    if (before !== undefined) this.#count(before, -1);
    if (after !== undefined) this.#count(after, 1);
    const old = this.#rates;
    this.#rates = evictionRates(this.#zones, this.#options);
    return [...this.#rates].some(([zone, rate]) => old.get(zone) !== rate);
  }

  #count({ zone, isReady }: { zone: string; isReady: boolean }, change: 1 | -1): void {
    const count = this.#zones.get(zone) ?? { ready: 0, notReady: 0 };
    if (isReady) count.ready += change;
    else count.notReady += change;
    if (count.ready + count.notReady === 0) this.#zones.delete(zone);
    else this.#zones.set(zone, count);
  }
}

/** Lets nodes through one by one at a rate that may change; the first passes at once. */
export class EvictionLimiter {
  #nextAtMs = 0;

  /** 0: the node may be evicted now. Else milliseconds until the next attempt; undefined while the rate is 0. */
  take(ratePerSecond: number, nowMs: number): number | undefined {
    if (ratePerSecond <= 0) return undefined;
    if (nowMs < this.#nextAtMs) return this.#nextAtMs - nowMs;
    this.#nextAtMs = nowMs + 1000 / ratePerSecond;
    return 0;
  }
}
