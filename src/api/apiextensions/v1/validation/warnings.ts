import type { CustomResourceDefinition } from '../../../generated/types.ts';
import { isKnownFormat } from '../../structural/formats.ts';
import { itemsOf, type JsonSchema, visitSchemas } from '../../structural/json-schema.ts';

/** Texts about what is accepted and means nothing: formats nobody checks, sets of what is no scalar. */
export function definitionWarnings(
  next: CustomResourceDefinition,
  current: CustomResourceDefinition | undefined,
): string[] {
  const known = new Set(current === undefined ? [] : warningsOf(current));
  return [...new Set(warningsOf(next))].filter((warning) => !known.has(warning));
}

function warningsOf({ spec }: CustomResourceDefinition): string[] {
  const formats: string[] = [];
  const sets = new Set<string>();
  for (const { schema } of spec.versions) {
    // Safe: the server decoded it by the schema of JSONSchemaProps.
    visitSchemas(schema?.openAPIV3Schema as JsonSchema | undefined, (node) => {
      const { format = '' } = node;
      if (format !== '' && !isKnownFormat(format, node.type)) {
        formats.push(`unrecognized format ${JSON.stringify(format)}`);
      }
      const type = itemsOf(node)?.type;
      if (node['x-kubernetes-list-type'] === 'set' && (type === 'object' || type === 'array')) {
        sets.add(
          `x-kubernetes-list-type: set for items of type ${JSON.stringify(type)} is not supported by server-side ` +
            'apply or CEL validation rules',
        );
      }
    });
  }
  return [...formats, ...[...sets].toSorted()];
}
