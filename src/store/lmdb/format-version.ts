import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreOpenError } from '../errors.ts';

// Raised when the layout of the tables or records changes.
const FORMAT_VERSION = 1;
const FORMAT = `tiphys-store ${FORMAT_VERSION}`;

/**
 * Throws a `StoreOpenError` where the directory holds another format or a foreign database. In a new directory, writes
 * `format.new`; `confirmFormat` makes it `format` once the database is there, so that a missing one is noticed later.
 */
export function checkFormat(directory: string): void {
  const fail = (text: string) => new StoreOpenError(`cannot open the store in "${directory}": ${text}`);
  const dataFile = join(directory, 'data.mdb');
  const hasData = existsSync(dataFile) && statSync(dataFile).size > 0;
  const path = join(directory, 'format');
  if (!existsSync(path)) {
    if (hasData && !existsSync(`${path}.new`)) {
      throw fail('it holds a database but no "format" file, so something else wrote it; choose another directory');
    }
    writeFileSync(`${path}.new`, `${FORMAT}\n`, { mode: 0o600, flush: true });
    return;
  }
  const text = readFileSync(path, 'utf8').trim();
  if (text !== FORMAT) {
    const advice = 'use the version of the program that wrote it, or choose another directory';
    throw fail(`its format is "${text}" and this program reads "${FORMAT}"; ${advice}`);
  }
  if (!hasData) {
    throw fail('its database "data.mdb" is missing; restore it from a backup, or remove the directory to start empty');
  }
}

/** The database of a new directory exists now. */
export function confirmFormat(directory: string): void {
  const path = join(directory, 'format');
  if (!existsSync(path)) renameSync(`${path}.new`, path);
}
