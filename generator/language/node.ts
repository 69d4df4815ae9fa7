import type { Span } from "../source/text.js";
import type { Value } from "../source/value.js";
import type {
  ChoiceShape,
  DictionaryShape,
  EitherShape,
  FlagShape,
  IntegerShape,
  Key,
  Keys,
  ListShape,
  MappingShape,
  OpenShape,
  ScalarShape,
  TextShape,
} from "./shape.js";

/** The node that the reader makes of a value of the shape. */
export type NodeOf<S> =
  S extends TextShape<infer T>
    ? TextNode<T>
    : S extends ChoiceShape<infer V>
      ? ChoiceNode<V>
      : S extends IntegerShape
        ? IntegerNode
        : S extends FlagShape
          ? FlagNode
          : S extends ScalarShape
            ? ScalarNode
            : S extends OpenShape
              ? OpenNode
              : S extends ListShape<infer I>
                ? ListNode<NodeOf<I>>
                : S extends DictionaryShape<infer N, infer V>
                  ? DictionaryNode<N, NodeOf<V>>
                  : S extends MappingShape<infer K>
                    ? MappingNode<K>
                    : S extends EitherShape<infer A, infer B>
                      ? NodeOf<A> | NodeOf<B>
                      : never;

interface Placed {
  readonly span: Span;
}

export interface TextNode<T> extends Placed {
  readonly kind: "text";
  readonly text: string;
  readonly value: T;
}

export interface ChoiceNode<V extends string> extends Placed {
  readonly kind: "choice";
  readonly value: V;
  /** `?`, `[]` or nothing. */
  readonly suffix: string;
}

export interface IntegerNode extends Placed {
  readonly kind: "integer";
  readonly value: number;
}

export interface FlagNode extends Placed {
  readonly kind: "flag";
  readonly value: boolean;
}

export interface ScalarNode extends Placed {
  readonly kind: "scalar";
  readonly value: string | number | boolean;
  readonly text: string;
}

export interface OpenNode extends Placed {
  readonly kind: "open";
  readonly value: Value & { readonly kind: "mapping" };
}

export interface ListNode<I> extends Placed {
  readonly kind: "list";
  readonly items: readonly I[];
  /** An item was left out because it was misread: do not conclude anything from its absence. */
  readonly poisoned: boolean;
}

export interface DictionaryNode<N, V> extends Placed {
  readonly kind: "dictionary";
  readonly entries: readonly NamedNode<N, V>[];
  readonly poisoned: boolean;
}

export interface NamedNode<N, V> {
  readonly name: TextNode<N>;
  /** undefined: what stands under the name was misread, and that has been said. */
  readonly node: V | undefined;
}

export interface MappingNode<K extends Keys> extends Placed {
  readonly kind: "mapping";
  /** Absent keys and misread ones are undefined; `poisoned` tells that there are misread ones. */
  readonly get: { readonly [P in keyof K]?: K[P] extends Key<infer S> ? NodeOf<S> : never };
  readonly keySpans: { readonly [P in keyof K]?: Span };
  readonly definition: Span;
  readonly poisoned: boolean;
}

/** Whether something under the key, or the key itself, was misread: its absence then means nothing. */
export function isPoisoned<G extends object>(
  node: { readonly get: G; readonly poisoned: boolean } | undefined,
  key: keyof G,
): boolean {
  if (node === undefined) return true;
  const child: unknown = node.get[key];
  if (child === undefined) return node.poisoned;
  return typeof child === "object" && child !== null && "poisoned" in child && child.poisoned === true;
}
