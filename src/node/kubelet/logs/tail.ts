import type { HostFiles } from '../../host/host.ts';
import { parseLogLine } from './cri-log.ts';

/** The end of a log's text, without times: what a container said before it failed. Empty where there is no log. */
export async function readTail(
  files: HostFiles,
  path: string,
  limits: { lines: number; bytes: number },
): Promise<string> {
  let data: Uint8Array;
  try {
    data = await files.read(path);
  } catch (error) {
    return `Error reading termination message from logs: ${error instanceof Error ? error.message : String(error)}`;
  }
  const lines = Buffer.from(data)
    .toString('latin1')
    .split('\n')
    .slice(-limits.lines - 1);
  const texts = lines
    .map((line) => parseLogLine(Buffer.from(line, 'latin1')))
    .filter((record) => record !== undefined)
    .slice(-limits.lines)
    .map((record) => Buffer.from(record.content).toString() + (record.isPartial ? '' : '\n'));
  return Buffer.from(texts.join('')).subarray(-limits.bytes).toString();
}
