import type { ColumnType } from "@meshwright/runtime/column-types";
import type { Change } from "@meshwright/runtime/vocabulary";
import type { Span } from "../source/text.js";
import type { Value } from "../source/value.js";
import type { Operation } from "../vocabulary/changes.js";
import type { Envelope } from "../vocabulary/envelopes.js";
import type { Naming } from "../vocabulary/namings.js";
import type {
  ColumnNode,
  DatabaseNode,
  DeliveryNode,
  FieldNode,
  ServiceNode,
  SubjectNode,
  TableNode,
  ViewColumnNode,
  ViewNode,
} from "./grammar.js";
import type { TextNode } from "./node.js";
import type { PatternName, SubjectName } from "./words.js";

export interface ServiceSymbol {
  readonly name: string;
  readonly span: Span;
  /** undefined: it was misread, which is reported already. */
  readonly node: ServiceNode | undefined;
  readonly external: boolean;
  readonly envelope: Envelope;
  readonly naming: Naming;
  readonly source: string;
  readonly database: DatabaseSymbol | undefined;
  readonly publishes: readonly TextNode<PatternName>[];
  readonly subscribes: readonly TextNode<PatternName>[];
  /** The same with what is said of each. */
  readonly subscriptions: readonly SubscriptionSymbol[];
  /** Patterns were misread: do not conclude that it does not publish, or subscribe to, something. */
  readonly poisoned: { readonly publishes: boolean; readonly subscribes: boolean };
}

export interface SubscriptionSymbol {
  readonly pattern: TextNode<PatternName>;
  /** Of a consumer beside the one that keeps copies and cascades. */
  readonly name: TextNode<string> | undefined;
  /** The mapping, where it says no more than its pattern. */
  readonly plain: Span | undefined;
  readonly delivery: DeliveryNode | undefined;
}

export interface DatabaseSymbol {
  readonly name: string;
  readonly span: Span;
  readonly node: DatabaseNode | undefined;
  /** The services that say it is theirs: one, in a valid mesh. */
  readonly owners: ServiceSymbol[];
  /** The one in whose PostgreSQL database it lies, where it shares it. */
  readonly shares: TextNode<string> | undefined;
  readonly tables: ReadonlyMap<string, TableSymbol>;
  readonly views: ReadonlyMap<string, ViewSymbol>;
}

/** Only read: no event, no cascade and no copy speaks of it. */
export interface ViewSymbol {
  readonly name: string;
  readonly span: Span;
  readonly node: ViewNode | undefined;
  /** As that of a table. */
  readonly at: TableSymbol["at"];
  readonly columns: ReadonlyMap<string, ViewColumnSymbol>;
  /** As that of a table. */
  readonly key: readonly ViewColumnSymbol[];
}

export interface ViewColumnSymbol {
  readonly name: string;
  readonly span: Span;
  readonly type: ColumnType | undefined;
  readonly nullable: boolean;
  /** The full form, where it is written so. */
  readonly node: Extract<ViewColumnNode, { kind: "mapping" }> | undefined;
}

export interface TableSymbol {
  readonly name: string;
  readonly span: Span;
  readonly node: TableNode | undefined;
  /** It is there already, and migrations leave it as it is. */
  readonly existing: boolean;
  /** Where it says that it is, or exists; undefined: where the migrating role makes tables, under its own name. */
  readonly at: { readonly schema: string; readonly table: string } | undefined;
  readonly columns: ReadonlyMap<string, ColumnSymbol>;
  /** In the key's order; empty where none is said. */
  readonly key: readonly ColumnSymbol[];
  /** Its column by which rows are deleted without going. */
  readonly softDelete: TextNode<string> | undefined;
  /** `auth.user` */
  readonly cacheOf: TextNode<{ readonly service: string; readonly entity: string }> | undefined;
}

export interface ColumnSymbol {
  readonly name: string;
  readonly span: Span;
  readonly type: ColumnType | undefined;
  readonly nullable: boolean;
  readonly key: boolean;
  /** Of a copy: only hooks fill it. */
  readonly local: boolean;
  /** Of a copy: the field that fills it, where that is said. */
  readonly from: TextNode<string> | undefined;
  /** The full form, where it is written so. */
  readonly node: Extract<ColumnNode, { kind: "mapping" }> | undefined;
}

export interface EventSymbol {
  readonly subject: TextNode<SubjectName>;
  /** `auth.user` */
  readonly entityName: string;
  readonly node: SubjectNode | undefined;
  /** undefined: misread. */
  readonly name: TextNode<string> | undefined;
  readonly service: ServiceSymbol | undefined;
  /** The owner's table that it is emitted from. */
  readonly table: TableSymbol | undefined;
  /** The column of its table that names the entity, where that is not the key: the rows are no rows of the entity, a like of a comment. */
  readonly id: TextNode<string> | undefined;
  readonly operations: readonly Operation[];
  readonly change: Change;
  readonly fields: ReadonlyMap<string, FieldSymbol>;
}

export interface FieldSymbol {
  readonly name: string;
  readonly span: Span;
  /** Its type; where it says none, that of what fills it. undefined: misread. */
  readonly node: FieldNode | undefined;
  /** What fills it where a table emits the event; undefined: whoever publishes it. */
  readonly source: FieldSource | undefined;
}

export type FieldSource =
  | ColumnSource
  | { readonly kind: "constant"; readonly span: Span; readonly value: Value }
  | ObjectSource;

export interface ObjectSource {
  readonly kind: "object";
  readonly span: Span;
  readonly fields: readonly FieldSymbol[];
  /** The type of `types` that it is, where it says one. */
  readonly type: TextNode<string> | undefined;
}

export interface ColumnSource {
  /** Of the row that the event tells of, of that row before the update, or of a row that it references. */
  readonly kind: "column" | "old" | "referenced";
  readonly column: string;
  readonly span: Span;
  /** The column that references the row. */
  readonly by: string | undefined;
  /** undefined: `by` references none. */
  readonly of: TableSymbol | undefined;
  /** undefined: there is no such column. */
  readonly target: ColumnSymbol | undefined;
}

/** An object under `types`. */
export interface TypeSymbol {
  readonly name: string;
  readonly span: Span;
  readonly fields: readonly FieldSymbol[];
}

export interface EntitySymbol {
  /** `auth.user` */
  readonly entityName: string;
  readonly service: string;
  /** `user` */
  readonly entity: string;
  readonly events: EventSymbol[];
}
