import type { Expression } from './ast.ts';

/** The nodes directly within a node. */
export function children(node: Expression): readonly Expression[] {
  switch (node.type) {
    case 'literal':
    case 'ident':
      return [];
    case 'select':
      return [node.operand];
    case 'call':
      return node.target === undefined ? node.args : [node.target, ...node.args];
    case 'list':
      return node.elements;
    case 'map':
      return node.entries.flatMap((entry) => [entry.key, entry.value]);
    case 'struct':
      return node.fields.map((field) => field.value);
    case 'comprehension':
      return [node.range, node.initial, node.condition, node.step, node.result];
  }
}
