import type { Expression } from './ast.ts';

/** Calls back for a node and all nodes within it, outer ones first. */
export function visit(expression: Expression, callback: (node: Expression) => void): void {
  const pending: Expression[] = [expression];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    callback(node);
    pending.push(...children(node));
  }
}

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
