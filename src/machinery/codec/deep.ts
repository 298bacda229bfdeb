/** Freezes a JSON value with everything in it, and returns it. A value that is frozen itself is not walked again. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) freezeTree(value);
  return value;
}

// Asks nothing of the parts: freezing one again costs a fraction of asking whether it is frozen.
function freezeTree(value: object): void {
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object' && item !== null) freezeTree(item);
  } else {
    // Safe: any object can be read by its own keys.
    const fields = value as Record<string, unknown>;
    for (const key in fields) {
      const child = fields[key];
      if (typeof child === 'object' && child !== null) freezeTree(child);
    }
  }
  Object.freeze(value);
}

/** A copy of a JSON value that shares nothing with it and is not frozen. */
export function deepCopy<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const length = value.length;
    // Exactly as long as it must be; one that grows by `push` reserves room for 17.
    const copy: unknown[] = value.slice();
    for (let index = 0; index < length; index += 1) copy[index] = deepCopy(value[index]);
    // Safe: an array of copies of T's items.
    return copy as T;
  }
  const copy: Record<string, unknown> = {};
  // Safe: any object can be read by its own keys; `__proto__` is copied as a plain key.
  const fields = value as Record<string, unknown>;
  for (const key in fields) {
    if (key === '__proto__') setOwn(copy, key, deepCopy(fields[key]));
    else copy[key] = deepCopy(fields[key]);
  }
  // Safe: the same fields with copies of T's values.
  return copy as T;
}

/** Whether two JSON values are the same. Absent and `undefined` are one; absent and empty are not. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let index = 0; index < a.length; index += 1) {
      if (!deepEqual(a[index], b[index])) return false;
    }
    return true;
  }
  if (Array.isArray(b)) return false;
  return fieldsEqual(a as Record<string, unknown>, b as Record<string, unknown>);
}

/** Whether lists and maps stand in one another more than so many times. */
export function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels <= 0) return true;
  // Safe: any object can be read by its own keys.
  const fields = value as Record<string, unknown>;
  for (const key in fields) if (isDeeperThan(fields[key], levels - 1)) return true;
  return false;
}

/** Sets a field even where its name is `__proto__`. */
export function setOwn(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}

function fieldsEqual(a: Record<string, unknown>, b: Record<string, unknown>): boolean {
  let left = 0;
  for (const key in a) {
    const value = a[key];
    if (value === undefined) continue;
    left += 1;
    if (!Object.hasOwn(b, key) || !deepEqual(value, b[key])) return false;
  }
  for (const key in b) if (b[key] !== undefined) left -= 1;
  return left === 0;
}
