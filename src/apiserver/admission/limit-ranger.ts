import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from '#api/generated/types.ts';
import { parseQuantity } from '#machinery/quantity/quantity.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../pipeline/types.ts';
import { isResource, podOf, refuse, type AdmissionDeps } from './plugin.ts';

const ANNOTATION = 'kubernetes.io/limit-ranger';

type Amounts = Readonly<Record<string, string>>;
interface Usage {
  readonly requests: Amounts;
  readonly limits: Amounts;
}

/** Fills in the default requests and limits of a namespace's LimitRanges, and refuses what lies outside of them. */
export function limitRanger({ view }: Pick<AdmissionDeps, 'view'>): AdmissionPlugin {
  // Safe: the view holds LimitRanges.
  const ranges = ({ info }: AdmissionRequest) => view('', 'limitranges').list(info.namespace) as LimitRange[];
  return {
    name: 'LimitRanger',
    mutate: (request) => {
      const pod = request.operation === 'CREATE' ? podOf(request) : undefined;
      if (pod === undefined) return;
      for (const range of ranges(request)) setDefaults(pod, range);
    },
    validate: (request) => {
      const { operation, info } = request;
      const pod = podOf(request);
      const isClaim = isResource(request, '', 'persistentvolumeclaims') && info.subresource === '';
      const isChecked = (pod !== undefined && operation === 'CREATE') || (isClaim && operation !== 'DELETE');
      if (!isChecked || request.object === undefined) return;
      const problems = ranges(request).flatMap((range) =>
        (range.spec?.limits ?? []).flatMap((item) =>
          pod === undefined
            ? // Safe: what is written to persistentvolumeclaims is one.
              checkClaim(request.object as PersistentVolumeClaim, item)
            : checkPod(pod, item),
        ),
      );
      if (problems.length === 0) return;
      throw refuse(request, problems.length === 1 ? (problems[0] ?? '') : `[${problems.join(', ')}]`);
    },
  };
}

function setDefaults(pod: Pod, range: LimitRange): void {
  const item = range.spec?.limits?.find(({ type }) => type === 'Container');
  if (item === undefined || pod.spec === undefined) return;
  const notes: string[] = [];
  for (const container of pod.spec.containers ?? []) notes.push(...setContainer(container, item, 'container'));
  for (const container of pod.spec.initContainers ?? []) notes.push(...setContainer(container, item, 'init container'));
  if (notes.length === 0) return;
  pod.metadata.annotations = {
    ...pod.metadata.annotations,
    [ANNOTATION]: `LimitRanger plugin set: ${notes.join('; ')}`,
  };
}

function setContainer(container: Container, item: LimitRangeItem, kind: string): string[] {
  const resources = container.resources ?? {};
  const requests = fill(resources.requests, item.defaultRequest ?? {}, resources.limits);
  const limits = fill(resources.limits, item.default ?? {}, undefined);
  if (requests.added.length === 0 && limits.added.length === 0) return [];
  container.resources = {
    ...resources,
    ...(Object.keys(limits.all).length > 0 && { limits: limits.all }),
    ...(Object.keys(requests.all).length > 0 && { requests: requests.all }),
  };
  const note = (added: readonly string[], what: string) =>
    added.length === 0 ? [] : [`${[...added].sort().join(', ')} ${what} for ${kind} ${container.name}`];
  return [...note(requests.added, 'request'), ...note(limits.added, 'limit')];
}

/** Defaulting made a limit the request where only a limit was given; such a request is not overwritten. */
function fill(given: Amounts | undefined, defaults: Amounts, limits: Amounts | undefined) {
  const added = Object.keys(defaults).filter((name) => given?.[name] === undefined && limits?.[name] === undefined);
  const all: Record<string, string> = { ...given };
  for (const name of added) all[name] = defaults[name] ?? '0';
  return { added, all };
}

function checkPod(pod: Pod, item: LimitRangeItem): string[] {
  const containers = pod.spec?.containers ?? [];
  const initContainers = pod.spec?.initContainers ?? [];
  if (item.type === 'Container') {
    return [...containers, ...initContainers].flatMap((container) => checkItem(usageOf(container), item));
  }
  return item.type === 'Pod' ? checkItem(podUsage(containers, initContainers), item) : [];
}

function checkClaim(claim: PersistentVolumeClaim, item: LimitRangeItem): string[] {
  if (item.type !== 'PersistentVolumeClaim') return [];
  return checkItem({ requests: claim.spec?.resources?.requests ?? {}, limits: {} }, item);
}

function checkItem(usage: Usage, item: LimitRangeItem): string[] {
  const problems: string[] = [];
  const isClaim = item.type === 'PersistentVolumeClaim';
  for (const [name, value] of Object.entries(item.min ?? {})) problems.push(...checkMin(usage, { item, name, value }));
  for (const [name, value] of Object.entries(item.max ?? {})) {
    problems.push(
      ...(isClaim ? checkMaxRequest(usage, { item, name, value }) : checkMax(usage, { item, name, value })),
    );
  }
  for (const [name, value] of Object.entries(item.maxLimitRequestRatio ?? {})) {
    problems.push(...checkRatio(usage, { item, name, value }));
  }
  return problems;
}

interface Bound {
  readonly item: LimitRangeItem;
  readonly name: string;
  readonly value: string;
}

function checkMin({ requests, limits }: Usage, { item, name, value }: Bound): string[] {
  const bound = `minimum ${name} usage per ${item.type} is ${value}`;
  const request = requests[name];
  const limit = limits[name];
  if (request === undefined) return [`${bound}.  No request is specified`];
  if (isLess(request, value)) return [`${bound}, but request is ${request}`];
  return limit !== undefined && isLess(limit, value) ? [`${bound}, but limit is ${limit}`] : [];
}

function checkMax({ requests, limits }: Usage, { item, name, value }: Bound): string[] {
  const bound = `maximum ${name} usage per ${item.type} is ${value}`;
  const request = requests[name];
  const limit = limits[name];
  if (limit === undefined) return [`${bound}.  No limit is specified`];
  if (isLess(value, limit)) return [`${bound}, but limit is ${limit}`];
  return request !== undefined && isLess(value, request) ? [`${bound}, but request is ${request}`] : [];
}

function checkMaxRequest({ requests }: Usage, { item, name, value }: Bound): string[] {
  const bound = `maximum ${name} usage per ${item.type} is ${value}`;
  const request = requests[name];
  if (request === undefined) return [`${bound}.  No request is specified`];
  return isLess(value, request) ? [`${bound}, but request is ${request}`] : [];
}

function checkRatio({ requests, limits }: Usage, { item, name, value }: Bound): string[] {
  const bound = `${name} max limit to request ratio per ${item.type} is ${value}`;
  const request = requests[name];
  const limit = limits[name];
  if (request === undefined || parseQuantity(request).isZero) {
    return [`${bound}, but no request is specified or request is 0`];
  }
  if (limit === undefined || parseQuantity(limit).isZero) {
    return [`${bound}, but no limit is specified or limit is 0`];
  }
  const ratio = parseQuantity(limit).milliValue() / parseQuantity(request).milliValue();
  return ratio > parseQuantity(value).milliValue() / 1000
    ? [`${bound}, but provided ratio is ${ratio.toFixed(6)}`]
    : [];
}

function isLess(left: string, right: string): boolean {
  return parseQuantity(left).compare(parseQuantity(right)) < 0;
}

function usageOf({ resources }: Container): Usage {
  return { requests: resources?.requests ?? {}, limits: resources?.limits ?? {} };
}

/** Containers add up; an init container counts where it alone needs more. */
function podUsage(containers: readonly Container[], initContainers: readonly Container[]): Usage {
  const total = (pick: (usage: Usage) => Amounts) => {
    const sums = new Map<string, string>();
    for (const container of containers) {
      for (const [name, value] of Object.entries(pick(usageOf(container)))) {
        const sum = sums.get(name);
        sums.set(name, sum === undefined ? value : parseQuantity(sum).add(parseQuantity(value)).toString());
      }
    }
    for (const container of initContainers) {
      for (const [name, value] of Object.entries(pick(usageOf(container)))) {
        const sum = sums.get(name);
        if (sum === undefined || isLess(sum, value)) sums.set(name, value);
      }
    }
    return Object.fromEntries(sums);
  };
  return { requests: total((usage) => usage.requests), limits: total((usage) => usage.limits) };
}
