import { join } from 'node:path';

/** Where the parts of one node keep their files: what its agent and those who act in its absence must agree on. */

/** The process runtime's directory; images lie below it. */
export function processDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'process');
}

/** The directory from which CNI's configuration is read. */
export function cniConfigDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'cni', 'net.d');
}

export function containerdStateDirectory(runDirectory: string): string {
  return join(runDirectory, 'containerd');
}

/** Where a node's containerd listens. */
export function containerdEndpoint(runDirectory: string): string {
  return `unix://${join(containerdStateDirectory(runDirectory), 'containerd.sock')}`;
}

/** Where a node's agent says what its containers are not kept apart from, for `up` to print. */
export function isolationFile(dataDirectory: string): string {
  return join(dataDirectory, 'isolation.txt');
}
