import { StatusError } from '#machinery/errors/status-error.ts';

/** Whether a creation was refused because its namespace is on its way out: nothing to retry. */
export function isNamespaceTerminating(error: unknown): boolean {
  if (!(error instanceof StatusError) || error.reason !== 'Forbidden') return false;
  return error.status.details?.causes?.some((cause) => cause.reason === 'NamespaceTerminating') === true;
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
