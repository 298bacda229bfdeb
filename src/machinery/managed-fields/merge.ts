import { deepCopy, setOwn } from '../codec/deep.ts';
import { itemElement, itemsByElement } from './compare.ts';
import { isFields } from './field-set.ts';
import { childPlan, type FieldsPlan, type ItemsPlan, type Plan } from './plan.ts';

type Fields = Record<string, unknown>;

/** The object with the configuration merged into it; shares with the object, changes neither. */
export function mergeApplied(plan: Plan, live: unknown, applied: unknown): unknown {
  if (applied === undefined) return live;
  switch (plan.type) {
    case 'struct':
    case 'map':
    case 'deduced':
      if (!isFields(live)) return deepCopy(applied);
      // An empty or absent map says nothing about what is in the object's.
      if (applied === null && plan.type !== 'deduced') return isEmpty(live) ? null : live;
      return isFields(applied) ? mergeFields(plan, live, applied) : deepCopy(applied);
    case 'set':
    case 'list':
      if (!Array.isArray(live)) return deepCopy(applied);
      if (applied === null) return live.length === 0 ? null : live;
      return Array.isArray(applied) ? mergeItems(plan, live, applied) : deepCopy(applied);
    case 'leaf':
      return deepCopy(applied);
    default:
      return plan satisfies never;
  }
}

const UNTRACKED: Plan = { type: 'deduced' };

function isEmpty(fields: Fields): boolean {
  return Object.keys(fields).length === 0;
}

// Fields that the plan leaves out are owned by nobody, but they are merged all the same.
function mergeFields(plan: FieldsPlan, live: Fields, applied: Fields): Fields {
  const result: Fields = { ...live };
  for (const [name, value] of Object.entries(applied)) {
    const current = Object.hasOwn(live, name) ? live[name] : undefined;
    setOwn(result, name, mergeApplied(childPlan(plan, name) ?? UNTRACKED, current, value));
  }
  return result;
}

/**
 * Applied items keep their order, and so do the object's own ones. Where both could come next, those of the object go
 * first; a shared item that the object has later waits until the applied order comes to it.
 */
function mergeItems(plan: ItemsPlan, live: readonly unknown[], applied: readonly unknown[]): unknown[] {
  const left = live.map((item) => itemElement(plan, item));
  const right = applied.map((item) => itemElement(plan, item));
  const known = itemsByElement(plan, live);
  const isApplied = new Set(right);
  const shared = right.filter((element) => known.has(element));
  const merged = new Set<string>();
  const result: unknown[] = [];
  const takeApplied = (at: number): void => {
    const element = right[at] ?? '';
    const items = known.get(element) ?? [];
    merged.add(element);
    // Of duplicates none is the one that is meant: the applied item takes their place.
    const current = items.length === 1 ? items[0] : undefined;
    result.push(plan.type === 'set' ? applied[at] : mergeApplied(plan.items, current, applied[at]));
    if (shared[0] === element) shared.shift();
  };
  let next = 0;
  let wanted = 0;
  while (next < left.length || wanted < right.length) {
    const element = left[next];
    if (element !== undefined && element === right[wanted]) {
      takeApplied(wanted);
      next += 1;
      wanted += 1;
    } else if (element !== undefined && !isApplied.has(element)) {
      result.push(live[next]);
      next += 1;
    } else if (element !== undefined && wanted < right.length && shared.length > 0 && shared[0] !== element) {
      next += 1;
    } else {
      if (element !== undefined && merged.has(element)) next += 1;
      if (wanted < right.length) takeApplied(wanted++);
    }
  }
  return result;
}
