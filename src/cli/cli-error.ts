/** A failure that a person can act on; printed without a stack. */
export class CliError extends Error {
  readonly exitCode: number;
  /** What to do next. */
  readonly hint: string | undefined;

  constructor(message: string, options: { exitCode?: number; hint?: string } = {}) {
    super(message);
    this.name = 'CliError';
    this.exitCode = options.exitCode ?? 1;
    this.hint = options.hint;
  }
}
