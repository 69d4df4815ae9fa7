/** What stands in the text, before aliases and merges are followed. Offsets, `end` exclusive. */
export type SyntaxNode = MapNode | SequenceNode | ScalarNode | AliasNode;

interface Placed {
  readonly start: number;
  readonly end: number;
  readonly anchor: string | undefined;
}

export interface MapNode extends Placed {
  readonly kind: "map";
  readonly pairs: readonly PairNode[];
}

/** null: nothing is written there. */
export interface PairNode {
  readonly key: SyntaxNode | null;
  readonly value: SyntaxNode | null;
}

export interface SequenceNode extends Placed {
  readonly kind: "sequence";
  readonly items: readonly (SyntaxNode | null)[];
}

export interface ScalarNode extends Placed {
  readonly kind: "scalar";
  readonly value: unknown;
  /** Quotes, escapes and folds removed. */
  readonly source: string;
}

export interface AliasNode extends Placed {
  readonly kind: "alias";
  readonly name: string;
}
