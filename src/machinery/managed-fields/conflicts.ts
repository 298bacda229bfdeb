import { genericStatus, type StatusError } from '../errors/status-error.ts';
import type { ManagedFieldsEntry } from '../meta/types.ts';
import { type FieldTree, forEachPath, pathText } from './field-tree.ts';

/** A field that somebody else owns with another value. */
export interface Conflict {
  /** As messages name it: `"scaler" using apps/v1`. */
  readonly manager: string;
  readonly path: readonly string[];
}

export function conflictsOf(entry: ManagedFieldsEntry, fields: FieldTree): Conflict[] {
  const conflicts: Conflict[] = [];
  forEachPath(fields, (path) => conflicts.push({ manager: managerText(entry), path: [...path] }));
  return conflicts;
}

/** The 409 that names every conflict, in upstream's words. */
export function conflictError(conflicts: readonly Conflict[]): StatusError {
  return genericStatus(409, 'Conflict', conflictMessage(conflicts), {
    causes: conflicts.map(({ manager, path }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${manager}`,
      field: pathText(path),
    })),
  });
}

function managerText(entry: ManagedFieldsEntry): string {
  const subresource = entry.subresource === undefined ? '' : ` with subresource ${JSON.stringify(entry.subresource)}`;
  const version = entry.operation === 'Update' ? ` using ${entry.apiVersion ?? ''}` : '';
  return `${JSON.stringify(entry.manager ?? '')}${subresource}${version}`;
}

function conflictMessage(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (conflicts.length === 1 && first !== undefined) {
    return `Apply failed with 1 conflict: conflict with ${first.manager}: ${pathText(first.path)}`;
  }
  const managers = [...new Set(conflicts.map(({ manager }) => manager))].toSorted();
  const lines = managers.flatMap((manager) => [
    `conflicts with ${manager}:`,
    ...conflicts.filter((conflict) => conflict.manager === manager).map(({ path }) => `- ${pathText(path)}`),
  ]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}
