import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DataDirectory, openDataDirectory } from './data-directory.ts';
import { addressAt, resolveSettings } from './settings.ts';

let folder: string;
let directory: DataDirectory;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tiphys-settings-'));
  directory = openDataDirectory(join(folder, 'data'), 1000);
});

afterEach(() => {
  rmSync(folder, { recursive: true });
  rmSync(directory.runDirectory, { recursive: true, force: true });
});

const request = {
  port: undefined,
  serviceCidr: undefined,
  podCidr: undefined,
  usedPrefixes: [],
  isLoopbackOnly: false,
  freePort: async () => 12_345,
};

describe('resolveSettings', () => {
  test('decides once and then remembers', async () => {
    const first = await resolveSettings(directory, { ...request, port: 0 });
    expect(first).toEqual({ port: 12_345, serviceCidr: '10.96.0.0/16', podCidr: '10.244.0.0/16' });
    const again = await resolveSettings(directory, { ...request, usedPrefixes: ['10.96.0.0/16'] });
    expect(again).toEqual(first);
  });

  test('keeps out of the way of what the machine uses', async () => {
    const settings = await resolveSettings(directory, { ...request, usedPrefixes: ['10.96.0.0/15', '10.244.1.0/24'] });
    expect(settings).toMatchObject({ port: 6443, podCidr: '10.245.0.0/16' });
    expect(settings.serviceCidr).not.toBe('10.96.0.0/16');
  });

  test('refuses to change ranges that stored objects depend on', async () => {
    await resolveSettings(directory, request);
    await expect(resolveSettings(directory, { ...request, serviceCidr: '10.1.0.0/16' })).rejects.toThrow(
      '--service-cluster-ip-range 10.1.0.0/16 contradicts 10.96.0.0/16',
    );
  });

  test('says which file is damaged', async () => {
    writeFileSync(join(directory.root, 'settings.json'), '[]');
    await expect(resolveSettings(directory, request)).rejects.toThrow('settings.json is damaged');
  });
});

test('addressAt counts from the network address', () => {
  expect(addressAt('10.96.0.0/16', 1)).toBe('10.96.0.1');
  expect(addressAt('10.96.0.0/16', 10)).toBe('10.96.0.10');
  expect(addressAt('10.96.255.0/24', 254)).toBe('10.96.255.254');
  expect(() => addressAt('10.96.0.0/30', 10)).toThrow('has no address number 10');
});
