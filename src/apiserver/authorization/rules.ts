import type { PolicyRule } from '#api/generated/types.ts';
import type { AuthorizationAttributes } from '../pipeline/types.ts';

/** Whether one RBAC rule allows a request. */
export function ruleAllows(rule: PolicyRule, request: AuthorizationAttributes): boolean {
  if (!matchesAny(rule.verbs, request.verb)) return false;
  if (!request.isResourceRequest) return (rule.nonResourceURLs ?? []).some((url) => urlMatches(url, request.path));
  return (
    matchesAny(rule.apiGroups ?? [], request.group) &&
    resourceMatches(rule.resources ?? [], request) &&
    nameMatches(rule.resourceNames ?? [], request.name)
  );
}

function matchesAny(values: readonly string[], value: string): boolean {
  return values.includes('*') || values.includes(value);
}

/** In the path of every request: allocates nothing. */
function resourceMatches(rules: readonly string[], { resource, subresource }: AuthorizationAttributes): boolean {
  for (const rule of rules) {
    if (rule === '*' || (subresource === '' ? rule === resource : isOfSubresource(rule, resource, subresource))) {
      return true;
    }
  }
  return false;
}

/** `RESOURCE/SUBRESOURCE`, or `*` before the slash. */
function isOfSubresource(rule: string, resource: string, subresource: string): boolean {
  if (!rule.endsWith(subresource)) return false;
  const slash = rule.length - subresource.length - 1;
  if (rule[slash] !== '/') return false;
  return slash === 1 && rule[0] === '*' ? true : slash === resource.length && rule.startsWith(resource);
}

function nameMatches(rules: readonly string[], name: string): boolean {
  return rules.length === 0 || rules.includes(name);
}

function urlMatches(rule: string, path: string): boolean {
  return rule === '*' || rule === path || (rule.endsWith('*') && path.startsWith(rule.slice(0, -1)));
}

/**
 * The rules of `wanted` that `owned` does not cover, one resource, verb and group at a time: what a user would gain.
 */
export function uncoveredRules(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(breakDown).filter((single) => !owned.some((rule) => covers(rule, single)));
}

/** Splits a rule into rules with one value in each field. */
function breakDown(rule: PolicyRule): PolicyRule[] {
  const single: PolicyRule[] = [];
  for (const apiGroup of rule.apiGroups ?? []) {
    for (const resource of rule.resources ?? []) {
      for (const verb of rule.verbs) {
        const base = { apiGroups: [apiGroup], resources: [resource], verbs: [verb] };
        const names = rule.resourceNames ?? [];
        if (names.length === 0) single.push(base);
        for (const name of names) single.push({ ...base, resourceNames: [name] });
      }
    }
  }
  for (const url of rule.nonResourceURLs ?? []) {
    for (const verb of rule.verbs) single.push({ nonResourceURLs: [url], verbs: [verb] });
  }
  return single;
}

/** Whether `owner` grants all that `part`, a rule with one value in each field, does. */
function covers(owner: PolicyRule, part: PolicyRule): boolean {
  const hasAll = (owned: readonly string[] = [], wanted: readonly string[] = []) =>
    owned.includes('*') || wanted.every((value) => owned.includes(value));
  if (!hasAll(owner.verbs, part.verbs)) return false;
  if (part.nonResourceURLs !== undefined) {
    return part.nonResourceURLs.every((url) =>
      (owner.nonResourceURLs ?? []).some(
        (owned) => owned === '*' || owned === url || (owned.endsWith('*') && url.startsWith(owned.slice(0, -1))),
      ),
    );
  }
  const names = owner.resourceNames ?? [];
  return (
    hasAll(owner.apiGroups, part.apiGroups) &&
    coversResources(owner.resources ?? [], part.resources ?? []) &&
    (names.length === 0 || (part.resourceNames !== undefined && part.resourceNames.every((n) => names.includes(n))))
  );
}

function coversResources(owned: readonly string[], wanted: readonly string[]): boolean {
  return wanted.every((resource) => {
    if (owned.includes('*') || owned.includes(resource)) return true;
    const slash = resource.indexOf('/');
    return slash >= 0 && owned.includes(`*${resource.slice(slash)}`);
  });
}

/** Joins single-valued rules that differ in verbs only: how upstream shortens the list of missing rules. */
export function compactRules(rules: readonly PolicyRule[]): PolicyRule[] {
  const compacted = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const { verbs, ...rest } = rule;
    const key = JSON.stringify(rest);
    const known = compacted.get(key);
    compacted.set(key, known === undefined ? rule : { ...known, verbs: [...new Set([...known.verbs, ...verbs])] });
  }
  return [...compacted.values()];
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`: a rule as upstream prints it. */
export function describeRule(rule: PolicyRule): string {
  const fields: [string, readonly string[] | undefined][] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['ResourceNames', rule.resourceNames],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['Verbs', rule.verbs],
  ];
  const texts = fields.flatMap(([name, values]) =>
    values === undefined || values.length === 0
      ? []
      : [`${name}:[${values.map((value) => JSON.stringify(value)).join(' ')}]`],
  );
  return `{${texts.join(', ')}}`;
}
