import { createReadStream } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { KubeletAnswer } from './answer.ts';
import { HttpProblem } from './find.ts';

/**
 * The files of the node's log directory, and lists of its folders, as `kubectl get --raw …/proxy/logs/` shows them.
 * `path` begins with a slash and has no `..` in it; links that lead out of the directory are not followed.
 */
export async function nodeLogAnswer(directory: string, path: string): Promise<KubeletAnswer> {
  if (path.split('/').includes('..')) throw new HttpProblem(400, 'invalid URL path');
  const root = await existing(realpath(directory));
  const found = await existing(realpath(join(directory, path)));
  if (found !== root && !found.startsWith(`${root}${sep}`)) throw new HttpProblem(404, '404 page not found');
  const facts = await existing(stat(found));
  if (facts.isFile()) {
    return {
      type: 'stream',
      status: 200,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'content-length': String(facts.size) },
      // A log that grows meanwhile must not grow the answer beyond the length that was promised.
      body: facts.size === 0 ? nothing() : createReadStream(found, { end: facts.size - 1 }),
    };
  }
  if (!facts.isDirectory()) throw new HttpProblem(404, '404 page not found');
  // Links in a list are relative, so its path must end like a folder's.
  if (!path.endsWith('/'))
    return { type: 'bytes', status: 301, headers: { location: `${path.split('/').at(-1)}/` }, body: [] };
  const body = Buffer.from(await listOf(found));
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-length': String(body.length) };
  return { type: 'bytes', status: 200, headers, body: [body] };
}

async function listOf(folder: string): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).toSorted();
  const links = names.map((name) => `<a href="${encodeURI(name)}">${escapeHtml(name)}</a>\n`);
  return `<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n${links.join('')}</pre>\n`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&#34;');
}

async function existing<T>(lookup: Promise<T>): Promise<T> {
  try {
    return await lookup;
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw new HttpProblem(404, '404 page not found');
    throw error;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // An empty file has no piece.
}
