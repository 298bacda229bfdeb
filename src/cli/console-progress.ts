import type { Progress } from '#cluster/progress.ts';

/** Prints each step with its time when it is done; a step that takes long is announced first, on a terminal. */
export class ConsoleProgress implements Progress {
  readonly #started = performance.now();
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void = (text) => process.stderr.write(text)) {
    this.#write = write;
  }

  async step<T>(title: string, action: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      const result = await action();
      this.#write(`  ✓ ${title} (${formatSeconds(performance.now() - started)})\n`);
      return result;
    } catch (error) {
      this.#write(`  ✗ ${title} (${formatSeconds(performance.now() - started)})\n`);
      throw error;
    }
  }

  note(text: string): void {
    this.#write(`  ${text}\n`);
  }

  /** Seconds since this object was made. */
  elapsed(): string {
    return `${((performance.now() - this.#started) / 1_000).toFixed(1)} s`;
  }
}

function formatSeconds(ms: number): string {
  return ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
