import { expect } from 'vitest';
import type { FuzzTarget } from './target.ts';

export interface KnownObjects {
  /** How they were. */
  readonly before: unknown;
  /** How they are now. */
  read(): Promise<unknown>;
}

const CONFIG_MAPS = '/api/v1/namespaces/known/configmaps';
const COUNT = 20;

/** Objects that no generated request names: they must outlive all of them, to the byte. */
export async function keepKnownObjects(target: FuzzTarget): Promise<KnownObjects> {
  const post = async (path: string, object: unknown) => {
    const { status } = await target.send({
      method: 'POST',
      target: path,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(object)),
    });
    expect(status).toBe(201);
  };
  for (const name of ['known', 'default']) {
    await post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  await post('/api/v1/namespaces/default/serviceaccounts', {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default' },
  });
  for (let index = 0; index < COUNT; index += 1) {
    const data = { index: String(index), text: 'known'.repeat(index) };
    await post(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `known-${index}` }, data });
  }
  const read = async (): Promise<unknown> => {
    const { status, body } = await target.send({ method: 'GET', target: CONFIG_MAPS });
    expect(status).toBe(200);
    const list: unknown = JSON.parse(body.toString());
    return typeof list === 'object' && list !== null ? Reflect.get(list, 'items') : undefined;
  };
  const before = await read();
  expect(before).toHaveLength(COUNT);
  return { before, read };
}
