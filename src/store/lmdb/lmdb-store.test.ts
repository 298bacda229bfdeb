import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { testStoreContract } from '../contract-suite.ts';
import { openLmdbStore } from './lmdb-store.ts';

const directory = mkdtempSync(join(tmpdir(), 'tiphys-store-'));
let opened = 0;

afterAll(() => rmSync(directory, { recursive: true, force: true }));

testStoreContract('lmdb', ({ clock }) => openLmdbStore({ path: join(directory, String(++opened)), clock }));
