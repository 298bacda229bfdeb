import type { SessionExit } from './session.ts';

const COMMAND_ERROR = 'error executing command in container: ';

/** The `Status` that protocol version 4 and later carry on the error stream, as one line of JSON. */
export function encodeExitStatus(exit: SessionExit, command: readonly string[]): string {
  return JSON.stringify(exitStatus(exit, command));
}

/** What versions before 4 carry: nothing for success, else a text. */
export function plainExitText(exit: SessionExit, command: readonly string[]): string {
  if (exit.type === 'failed') return `${COMMAND_ERROR}${exit.message}`;
  return exit.exitCode === 0
    ? ''
    : `${COMMAND_ERROR}command terminated with exit code ${exit.exitCode}: ${command.join(' ')}`;
}

/** Reads what came on the error stream; version 4's Status or, from older servers, a text. */
export function decodeExitStatus(text: string): SessionExit {
  if (text === '') return { type: 'exited', exitCode: 0 };
  const status = parseStatus(text);
  if (status === undefined) return { type: 'failed', message: text };
  if (status.status === 'Success') return { type: 'exited', exitCode: 0 };
  const causes = status.details?.causes ?? [];
  if (status.reason === 'NonZeroExitCode') {
    const code = Number(causes.find((cause) => cause.reason === 'ExitCode')?.message);
    if (Number.isInteger(code)) return { type: 'exited', exitCode: code };
  }
  // An internal error's cause is the message without the words that encodeExitStatus would put before it again.
  const message = causes[0]?.message ?? status.message ?? 'unknown error';
  return { type: 'failed', message: message.startsWith(COMMAND_ERROR) ? message.slice(COMMAND_ERROR.length) : message };
}

interface WireStatus {
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

function exitStatus(exit: SessionExit, command: readonly string[]): object {
  if (exit.type === 'failed') {
    const message = `${COMMAND_ERROR}${exit.message}`;
    return {
      metadata: {},
      status: 'Failure',
      message: `Internal error occurred: ${message}`,
      reason: 'InternalError',
      details: { causes: [{ message }] },
      code: 500,
    };
  }
  if (exit.exitCode === 0) return { metadata: {}, status: 'Success' };
  const words = `error executing command [${command.join(' ')}], exit code ${exit.exitCode}`;
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: ${words}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exit.exitCode) }] },
  };
}

function parseStatus(text: string): WireStatus | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // Safe enough: every field is looked at as optional, and texts that are no texts only end up in a message.
    return typeof value === 'object' && value !== null ? (value as WireStatus) : undefined;
  } catch {
    // Older servers send plain text.
    return undefined;
  }
}
