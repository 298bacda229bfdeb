/** How deep we are inside tasks of a virtual executor; there real time and randomness are forbidden. */
let isInsideVirtualTask = false;

/** Called by the virtual executor around each task, promises included. */
export function markVirtualTask(isInside: boolean): void {
  isInsideVirtualTask = isInside;
}

/** Thrown where code under virtual time reaches for something real: the run would not be replayable. */
export class RealityLeakError extends Error {
  readonly code = 'REALITY_LEAK';

  constructor(what: string) {
    super(`${what} used inside a task of a virtual executor: take a Clock, a Random or the Executor`);
    this.name = 'RealityLeakError';
  }
}

// Several clusters in one process share the traps, in whatever order they come and go.
let trapHolders = 0;
let removeTraps: () => void = () => undefined;

/**
 * Makes the global clock, timers and randomness throw `RealityLeakError` while a task of a virtual executor runs, and
 * leaves them alone everywhere else. Nested traps are fine; disposing restores what was there before.
 */
export function trapGlobals(): Disposable {
  if (trapHolders === 0) removeTraps = installTraps();
  trapHolders += 1;
  let isHeld = true;
  return {
    [Symbol.dispose]: () => {
      if (!isHeld) return;
      isHeld = false;
      trapHolders -= 1;
      if (trapHolders === 0) removeTraps();
    },
  };
}

function installTraps(): () => void {
  const restores = [trapDate()];
  for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'fetch'] as const) {
    restores.push(trapFunction(globalThis, name, name));
  }
  restores.push(trapFunction(Math, 'random', 'Math.random'));
  restores.push(trapFunction(performance, 'now', 'performance.now'));
  restores.push(trapFunction(crypto, 'getRandomValues', 'crypto.getRandomValues'));
  restores.push(trapFunction(crypto, 'randomUUID', 'crypto.randomUUID'));
  for (const name of ['digest', 'sign', 'verify', 'generateKey', 'importKey', 'encrypt', 'decrypt'] as const) {
    restores.push(trapFunction(crypto.subtle, name, `crypto.subtle.${name}`));
  }
  return () => {
    for (const restore of restores.toReversed()) restore();
  };
}

function trapFunction(target: object, name: string, what: string): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  const original: unknown = Reflect.get(target, name);
  if (typeof original !== 'function') return () => undefined;
  const trapped = function trapped(this: unknown, ...args: unknown[]): unknown {
    if (isInsideVirtualTask) throw new RealityLeakError(what);
    return Reflect.apply(original, this, args);
  };
  Object.defineProperties(trapped, Object.getOwnPropertyDescriptors(original));
  Object.defineProperty(target, name, { value: trapped, writable: true, configurable: true, enumerable: true });
  return () => {
    if (own === undefined) Reflect.deleteProperty(target, name);
    else Object.defineProperty(target, name, own);
  };
}

/** `new Date()` and `Date.now()` leak; `new Date(ms)`, `Date.parse` and `Date.UTC` are pure and stay. */
function trapDate(): () => void {
  const RealDate = globalThis.Date;
  const trapped = new Proxy(RealDate, {
    construct(target, args, newTarget) {
      if (args.length === 0 && isInsideVirtualTask) throw new RealityLeakError('new Date()');
      return Reflect.construct(target, args, newTarget);
    },
    apply(target, self, args) {
      if (isInsideVirtualTask) throw new RealityLeakError('Date()');
      return Reflect.apply(target, self, args);
    },
    get(target, name) {
      if (name === 'now' && isInsideVirtualTask) throw new RealityLeakError('Date.now()');
      return Reflect.get(target, name);
    },
  });
  globalThis.Date = trapped;
  return () => {
    globalThis.Date = RealDate;
  };
}
