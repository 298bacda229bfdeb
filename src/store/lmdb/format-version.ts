import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreOpenError } from '../errors.ts';

// Raised when the layout of the tables or records changes.
const FORMAT_VERSION = 1;
const FILE_NAME = 'format';

/** Marks a new directory with the format this program writes; throws a `StoreOpenError` for any other format. */
export function checkFormatVersion(directory: string): void {
  const path = join(directory, FILE_NAME);
  if (!existsSync(path)) {
    if (existsSync(join(directory, 'data.mdb'))) {
      throw new StoreOpenError(
        `cannot open the store in "${directory}": it holds a database but no "${FILE_NAME}" file, ` +
          `so something else wrote it; choose another directory`,
      );
    }
    writeFileSync(path, `tiphys-store ${FORMAT_VERSION}\n`, { mode: 0o600, flush: true });
    return;
  }
  const text = readFileSync(path, 'utf8').trim();
  if (text === `tiphys-store ${FORMAT_VERSION}`) return;
  throw new StoreOpenError(
    `cannot open the store in "${directory}": its format is "${text}" and this program reads ` +
      `"tiphys-store ${FORMAT_VERSION}"; use the version of the program that wrote it, or choose another directory`,
  );
}
