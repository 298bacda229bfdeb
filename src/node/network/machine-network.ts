import { readFile, writeFile } from 'node:fs/promises';
import type { RunCommand } from '../host/run-command.ts';
import type { MachinePlan, NodePlace } from './machine-plan.ts';

const IP_FORWARD = '/proc/sys/net/ipv4/ip_forward';

/** Address prefixes that the machine already uses, for `planMachineNetwork`. */
export async function usedPrefixes(run: RunCommand): Promise<string[]> {
  const addresses = await run('ip', ['-4', '-o', 'addr', 'show']);
  const routes = await run('ip', ['-4', 'route', 'show', 'table', 'all']);
  const found = [...addresses.stdout.matchAll(/inet (\S+)/g)].map((match) => match[1] ?? '');
  for (const line of routes.stdout.split('\n')) {
    const target = line.trim().split(/\s+/)[0] ?? '';
    if (/^\d/.test(target)) found.push(target);
  }
  return found;
}

/**
 * Makes the bridge, the namespaces and the links, first removing what an earlier run left. Returns what must be put
 * back by `removeMachineNetwork`.
 */
export async function makeMachineNetwork(plan: MachinePlan, run: RunCommand): Promise<{ ipForwardBefore: string }> {
  const ipForwardBefore = (await readFile(IP_FORWARD, 'utf8')).trim();
  await removeLinks(plan, run);
  await run('ip', ['link', 'add', plan.bridge, 'type', 'bridge']);
  await run('ip', ['addr', 'add', `${plan.gateway}/24`, 'dev', plan.bridge]);
  await run('ip', ['link', 'set', plan.bridge, 'up']);
  for (const node of plan.nodes) await makeNode(plan, node, run);
  const [first] = plan.nodes;
  if (first !== undefined) await run('ip', ['route', 'replace', plan.serviceCidr, 'via', first.ip, 'dev', plan.bridge]);
  await writeFile(IP_FORWARD, '1');
  await run('nft', ['-f', '-'], { input: renderMachineTable(plan) });
  return { ipForwardBefore };
}

/** Removes everything that `makeMachineNetwork` made; what is already gone is no error. */
export async function removeMachineNetwork(
  plan: MachinePlan,
  run: RunCommand,
  before?: { ipForwardBefore: string },
): Promise<void> {
  await removeLinks(plan, run);
  await run('nft', ['-f', '-'], { input: `table ip ${plan.table} {}\ndelete table ip ${plan.table}\n` });
  if (before !== undefined && !(await hasOtherClusters(run))) await writeFile(IP_FORWARD, before.ipForwardBefore);
}

async function makeNode(plan: MachinePlan, node: NodePlace, run: RunCommand): Promise<void> {
  const inside = ['netns', 'exec', node.namespace];
  await run('ip', ['netns', 'add', node.namespace]);
  await run('ip', ['link', 'add', node.link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', node.namespace]);
  await run('ip', ['link', 'set', node.link, 'master', plan.bridge, 'up']);
  const commands = [
    'link set lo up',
    `addr add ${node.ip}/24 dev eth0`,
    'link set eth0 up',
    `route add default via ${plan.gateway}`,
  ];
  await run('ip', ['-n', node.namespace, '-batch', '-'], { input: `${commands.join('\n')}\n` });
  await run('ip', [...inside, 'sh', '-c', `echo 1 > ${IP_FORWARD}`]);
}

async function removeLinks(plan: MachinePlan, run: RunCommand): Promise<void> {
  const namespaces = (await run('ip', ['netns', 'list'])).stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
  const prefix = `${plan.bridge}-`;
  for (const namespace of namespaces) if (namespace.startsWith(prefix)) await run('ip', ['netns', 'del', namespace]);
  const links = (await run('ip', ['-o', 'link', 'show'])).stdout;
  const names = [...links.matchAll(/^\d+: ([^:@\s]+)/gm)].map((match) => match[1] ?? '');
  const linkPrefix = `${plan.bridge.replace('tiphys-', 'tp')}-`;
  for (const name of names) {
    // The other end of a link is gone with its namespace, and with it the link, but not always at once.
    if (name === plan.bridge || name.startsWith(linkPrefix)) await deleteLink(name, run);
  }
}

async function deleteLink(name: string, run: RunCommand): Promise<void> {
  try {
    await run('ip', ['link', 'del', name]);
  } catch (error) {
    const links = (await run('ip', ['-o', 'link', 'show'])).stdout;
    if (links.includes(`: ${name}`)) throw error;
  }
}

async function hasOtherClusters(run: RunCommand): Promise<boolean> {
  const links = (await run('ip', ['-o', 'link', 'show', 'type', 'bridge'])).stdout;
  return /: tiphys-/.test(links);
}

/** Pods and nodes reach the world under the machine's address; inside the cluster they keep their own. */
function renderMachineTable(plan: MachinePlan): string {
  const inside = `{ ${plan.subnet}, ${plan.podCidr}, ${plan.serviceCidr} }`;
  return `
table ip ${plan.table} {}
delete table ip ${plan.table}
table ip ${plan.table} {
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    ip saddr ${inside} ip daddr != ${inside} oifname != "${plan.bridge}" masquerade
  }
}
`;
}

/** Whether the network of an earlier run is still whole, so that its pods can be taken over. */
export async function networkStands(plan: MachinePlan, run: RunCommand): Promise<boolean> {
  const namespaces = (await run('ip', ['netns', 'list'])).stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
  const links = (await run('ip', ['-o', 'link', 'show'])).stdout;
  const names = new Set([...links.matchAll(/^\d+: ([^:@\s]+)/gm)].map((match) => match[1] ?? ''));
  return (
    names.has(plan.bridge) && plan.nodes.every((node) => namespaces.includes(node.namespace) && names.has(node.link))
  );
}
