/** What a JSONPath template consists of. */
export type PathNode =
  /** Text outside braces, or a quoted text within. */
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'wildcard' }
  | { readonly type: 'recursive' }
  | { readonly type: 'slice'; readonly bounds: SliceBounds }
  | { readonly type: 'union'; readonly branches: readonly PathList[] }
  | { readonly type: 'filter'; readonly left: PathList; readonly operator: FilterOperator; readonly right: PathList }
  | { readonly type: 'literal'; readonly value: number | boolean }
  | { readonly type: 'range' }
  | { readonly type: 'end' }
  /** The nodes of one pair of braces, applied one after the other. */
  | { readonly type: 'list'; readonly nodes: PathList };

export type PathList = readonly PathNode[];

export type FilterOperator = 'exists' | '==' | '!=' | '<' | '<=' | '>' | '>=';

/** `[from:to:step]`; a single index is a slice of one, which may end at zero when it counts from the end. */
export interface SliceBounds {
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly step: number | undefined;
  readonly isIndex: boolean;
}

/** A template that cannot be read, or that does not fit the data. */
export class JsonPathError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'JsonPathError';
  }
}
