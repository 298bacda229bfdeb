import type { Dice } from './run.ts';

/** Values that break programs: wrong types, borders, names with a meaning in JavaScript, Go, paths or YAML. */
const SCALARS: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  1,
  -1,
  1.5,
  1e308,
  -1e308,
  1e-320,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 53,
  2 ** 63,
  1e21,
  '',
  ' ',
  '0',
  '-1',
  '1',
  '1e3',
  '1e999999999',
  '9999999999999999999',
  '0.0000000000000000001',
  '100m',
  '1Ki',
  '1E',
  '-5Gi',
  'NaN',
  '80',
  'http',
  '10%',
  '-10%',
  '1000000%',
  'true',
  'null',
  'undefined',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '1970-01-01T00:00:00Z',
  '0000-00-00T00:00:00Z',
  '9999-12-31T23:59:59.999999999Z',
  '2024-02-30T25:61:61Z',
  '1h',
  '-1h',
  '1h1h1h',
  'P1D',
  '10.0.0.0/8',
  '::/0',
  '300.1.1.1',
  '::ffff:1.2.3.4',
  '10.96.0.1',
  'fe80::1%eth0',
  '0/0',
  'None',
  '*',
  '**',
  '*.example.com',
  '..',
  '../..',
  '/',
  '\u0000',
  '\ud800',
  '\u{1f600}',
  'é'.repeat(300),
  'a'.repeat(64),
  'a'.repeat(254),
  'x'.repeat(70_000),
  '-',
  '.',
  '$(A)',
  '$$(',
  '${',
  '{{',
  '%',
  '%zz',
  '(((((',
  '[[:alpha:]',
  '(a+)+$',
  '^(?<x>a)\\k<x>',
  'a'.repeat(3000) + '!',
  'self',
  'self.spec.x > 1',
  'has(',
  '"',
  "'",
  '\\',
  '\n',
  '\r\n',
  '\t',
  ',',
  ';',
  '=',
  '==',
  '!=',
  'in ()',
  'AAAA',
  'AA==',
  '!!!!',
  'v1',
  'apps/v1',
  'a/b/c',
  '/v1',
  'v1/',
  'default',
  'kube-system',
  'system:masters',
  'system:node:x',
  '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
];

const KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'length',
  '',
  '.',
  '/',
  '~0',
  '~1',
  'a/b',
  'a.b',
  'a[0]',
  '$patch',
  '$retainKeys',
  '$ref',
  'then',
  'toJSON',
  'metadata',
  'spec',
  'status',
  'kind',
  'apiVersion',
  'items',
  'managedFields',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'name',
  'namespace',
  'generateName',
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'generation',
  'data',
  '0',
  '-1',
  '\u0000',
  '\u00e9',
  'x'.repeat(400),
];

export function scalar(dice: Dice): unknown {
  return dice.pick(SCALARS);
}

/** A JSON value of no sense. */
export function anyValue(dice: Dice, depth = 4): unknown {
  const choice = depth <= 0 ? 0 : dice.int(5);
  if (choice < 3) return scalar(dice);
  const length = dice.int(4);
  if (choice === 3) return Array.from({ length }, () => anyValue(dice, depth - 1));
  return Object.fromEntries(Array.from({ length }, () => [dice.pick(KEYS), anyValue(dice, depth - 1)]));
}

export type Slot = { readonly parent: Record<string, unknown> | unknown[]; readonly key: string | number };

/** A copy of a value with a few of its parts changed, exchanged, doubled, moved or gone. */
export function mutated(value: unknown, dice: Dice): unknown {
  const holder = { root: structuredClone(value) };
  const count = 1 + dice.int(dice.once(4) ? 12 : 3);
  for (let index = 0; index < count; index += 1) {
    const slots = slotsOf(holder);
    if (slots.length === 0) break;
    const slot = dice.pick(slots);
    const other = dice.pick(slots);
    const change = dice.int(9);
    if (change === 0) remove(slot);
    else if (change === 1) write(slot, anyValue(dice));
    else if (change === 2) write(slot, structuredClone(read(other)));
    else if (change === 3) write(slot, [read(slot)]);
    else if (change === 4) write(slot, { [dice.pick(KEYS)]: read(slot) });
    else if (change === 5) extend(slot, dice);
    else write(slot, scalar(dice));
  }
  return holder.root ?? null;
}

function extend(slot: Slot, dice: Dice): void {
  const value = read(slot);
  if (Array.isArray(value)) value.push(dice.once(2) ? structuredClone(value[0] ?? null) : anyValue(dice, 2));
  else if (typeof value === 'object' && value !== null) {
    Object.defineProperty(value, dice.pick(KEYS), {
      value: anyValue(dice, 2),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else write(slot, anyValue(dice, 2));
}

/** Every place in a value. */
export function slotsOf(root: Record<string, unknown>): Slot[] {
  const slots: Slot[] = [];
  const stack: (Record<string, unknown> | unknown[])[] = [root];
  while (stack.length > 0) {
    const parent = stack.pop();
    if (parent === undefined) break;
    const keys = Array.isArray(parent) ? [...parent.keys()] : Object.keys(parent);
    for (const key of keys) {
      slots.push({ parent, key });
      const child = read({ parent, key });
      // Safe: an object is one or the other.
      if (typeof child === 'object' && child !== null) stack.push(child as Record<string, unknown> | unknown[]);
    }
  }
  return slots;
}

function read({ parent, key }: Slot): unknown {
  return Reflect.get(parent, key);
}

function write({ parent, key }: Slot, value: unknown): void {
  Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true });
}

function remove({ parent, key }: Slot): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else Reflect.deleteProperty(parent, key);
}

/** Bytes with some of them changed, cut off, doubled or put in. */
export function mutatedBytes(bytes: Uint8Array, dice: Dice): Uint8Array {
  let result = Buffer.from(bytes);
  const count = 1 + dice.int(4);
  for (let index = 0; index < count && result.length > 0; index += 1) {
    const at = dice.int(result.length);
    const change = dice.int(6);
    if (change === 0) result = result.subarray(0, at);
    else if (change === 1) result[at] = dice.int(256);
    else if (change === 2)
      result = Buffer.concat([result.subarray(0, at), dice.bytes(1 + dice.int(8)), result.subarray(at)]);
    else if (change === 3) {
      const end = Math.min(result.length, at + 1 + dice.int(200));
      result = Buffer.concat([result.subarray(0, end), result.subarray(at)]);
    } else if (change === 4) result[at] = (result[at] ?? 0) ^ (1 << dice.int(8));
    else result[at] = dice.pick([0, 0x7f, 0x80, 0xff, 0x22, 0x7b, 0x5b, 0x2c, 0x3a]);
  }
  return result;
}
