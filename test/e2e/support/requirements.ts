import { existsSync } from 'node:fs';

const missing = [
  ...(process.getuid?.() === 0 ? [] : ['root']),
  ...(existsSync('/usr/bin/containerd') || existsSync('/usr/local/bin/containerd') ? [] : ['containerd']),
  ...(existsSync('/usr/lib/cni/bridge') || existsSync('/opt/cni/bin/bridge') ? [] : ['CNI plugins']),
  ...(existsSync('/usr/sbin/nft') ? [] : ['nftables']),
];

/** Whether real containers can run here. */
export const canRunContainers = missing.length === 0;

/** For the name of a skipped suite: why it was skipped. */
export const whyNoContainers = missing.length === 0 ? '' : ` (skipped: needs ${missing.join(', ')})`;
