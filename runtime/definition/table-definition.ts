import type { ColumnType } from "../values/column-types.js";
import type { ReferenceAction } from "../vocabulary.js";
import type { Validator } from "./event-definition.js";

/*
 * The tables, copies and views of a service.
 */

/** A column of a table, as mesh.yaml declares it. */
export interface ColumnDefinition {
  readonly name: string;
  readonly type: ColumnType;
  /** A whole number of 64 bits, which is a decimal string on the wire. */
  readonly wide?: true;
  /** It may be of `json` in place of `jsonb`: of a table or view that exists. */
  readonly anyJson?: true;
  readonly nullable?: true;
  /** The database has a default for it. */
  readonly defaulted?: true;
  readonly unique?: true;
  /** Shown to nobody but the service itself: REST takes it and never gives it. */
  readonly private?: true;
  /** Of a cache: only hooks fill it. Events and snapshots leave it alone, and it is not compared. */
  readonly local?: true;
  /** What REST calls it, and so snapshots. Absent: its name. */
  readonly shown?: string;
  /** Of a cache: the field of its events that fills it. Absent: that of its name. */
  readonly field?: string;
  /** Of a cache: the member of its owner's rows that fills it. Absent: called as the field. */
  readonly member?: string;
  /** In their form on the wire. */
  readonly oneOf?: readonly (string | number)[];
}

/** What is compared with the catalogue before a migration. */
export interface ExistingDefinition {
  /** Sets of columns whose values together are unique. */
  readonly unique: readonly (readonly string[])[];
  readonly references: readonly ReferenceDefinition[];
}

/** A foreign key of one column, to the key of a table that this service has too, by its name in mesh.yaml. */
export interface ReferenceDefinition {
  readonly column: string;
  readonly table: string;
  readonly target: string;
  readonly onDelete: ReferenceAction;
}

/**
 * An owned table, a cache or a view. `Row` is what reading returns, `New` what create accepts, `Patch` what update accepts. `Key` says which row,
 * where its key has several columns.
 */
export interface TableDefinition<
  Row extends object = object,
  New extends object = object,
  Patch extends object = object,
  Key = unknown,
> {
  readonly name: string;
  /** Where mesh.yaml says its schema. Absent: under `name`, in the schema where migrations make tables. */
  readonly at?: { readonly schema: string; readonly table: string };
  /** Its key column, or several in the order in which they make the entity's id. */
  readonly key: string | readonly string[];
  readonly columns: readonly ColumnDefinition[];
  /** It was there before the mesh: what mesh.yaml says of it beside its columns. */
  readonly existing?: ExistingDefinition;
  /** The entity of which it is a read-only cache: `auth.user`. Absent for an owned table. */
  readonly cacheOf?: string;
  /** It is a view: PostgreSQL makes its rows from others', and it is only read. */
  readonly view?: true;
  /** Of a partial cache: it has the rows that meet all of these. */
  readonly where?: readonly ConditionDefinition[];
  /** Column by which its rows are deleted without going. A row in which it is set does not exist for anybody but SQL. */
  readonly softDelete?: string;
  /** The events that its triggers write, so that a snapshot can be read as events: entity and event names by change. */
  readonly entity?: string;
  /** Compiled validators of what REST takes for it. Absent where it is not served, or served for reading alone. */
  readonly validate?: { readonly create: Validator<object>; readonly patch: Validator<object> };
  /** Rules of its events' payloads for the values that a row is written with. */
  readonly rules?: { readonly create?: Validator<object>; readonly patch?: Validator<object> };
  /** Never set: carries the types only. */
  readonly types?: { readonly row: Row; readonly create: New; readonly patch: Patch; readonly key: Key };
}

/** What creates a row: every column, of which those in `Optional` may be left out. */
export type NewRow<Row, Optional extends keyof Row = never> = Expand<
  Omit<Row, Optional> & Partial<Pick<Row, Optional>>
>;

/** What changes a row: any of its columns but the key. */
export type RowPatch<Row, Key extends keyof Row> = Expand<Partial<Omit<Row, Key>>>;

/** What says which row, where the key has several columns. */
export type RowKey<Row, Key extends keyof Row> = Expand<Pick<Row, Key>>;

/** The members themselves, where an editor would show how they came about. */
type Expand<T> = { [Name in keyof T]: T[Name] };

/** A column's part of a partial cache's condition. */
export interface ConditionDefinition {
  readonly column: string;
  /** It holds one of these; absent with `isNull`. */
  readonly values?: readonly (string | number | boolean)[];
  /** It is null, or is not. */
  readonly isNull?: boolean;
  /** A field that is left out meets it: so does the column's default, or null where it has none. */
  readonly absent?: true;
}
