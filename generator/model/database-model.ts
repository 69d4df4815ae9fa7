import type { ColumnType } from "@meshwright/runtime/column-types";
import type { ReferenceAction } from "@meshwright/runtime/vocabulary";
import type { DrawnKey } from "../vocabulary/made-keys.js";

/*
 * Databases with their tables and views.
 */

export interface Database {
  readonly name: string;
  readonly service: string;
  /** `SFS_DB_URL`: of the role that the service runs as. */
  readonly urlVariable: string;
  /** `SFS_DB_OWNER_URL`: of the role that migrates. */
  readonly ownerUrlVariable: string;
  readonly roles: {
    /** `sfs_service`: may read and write rows. */
    readonly service: string;
    /** `sfs_owner`: owns the database and all that migrations make. */
    readonly owner: string;
  };
  /** Where it lies in the PostgreSQL database of another one; undefined: it is one itself. */
  readonly shared: SharedDatabase | undefined;
  /** Folder of SQL of its own, beside mesh.yaml: `sql/shop`. */
  readonly sql: string | undefined;
  readonly tables: readonly Table[];
  readonly views: readonly View[];
}

export interface SharedDatabase {
  /** The database that it shares: `shop_db`. */
  readonly with: string;
  /** Schema of what the mesh keeps of its service there, in place of `mesh`: `mesh_billing_db`. */
  readonly schema: string;
}

/** Read by REST and by its service; what makes it is not the mesh's. */
export interface View extends Pick<Table, "name" | "at" | "description" | "key" | "columns"> {
  readonly names: Pick<Table["names"], "row" | "value">;
}

export interface Table {
  /** As this file calls it. */
  readonly name: string;
  /** Where it is in PostgreSQL, where that is said or it exists; undefined: under `name`, where the migrating role makes tables. */
  readonly at: Place | undefined;
  /** It was there before the mesh: migrations add triggers, checks and indexes of ours, and change nothing else. */
  readonly existing: true | undefined;
  /** What becomes of rows that an existing table had before; undefined: copies get them, and no creation hook runs for them. */
  readonly backfill: "hooks" | undefined;
  readonly description: string | undefined;
  /** Names of the key columns, in the key's order: their values make the entity id of the table's events. */
  readonly key: readonly string[];
  readonly columns: readonly Column[];
  /** Multi-column unique sets; single columns carry their own flag. */
  readonly unique: readonly (readonly string[])[];
  readonly indexes: readonly (readonly string[])[];
  /** Conditions over several columns, by name. */
  readonly checks: readonly RowCheck[];
  /** Column by which a row is deleted without going; undefined: it goes. */
  readonly softDelete: string | undefined;
  readonly renamedFrom: string | undefined;
  /** Set on a read-only copy of another service's entity. */
  readonly cache: CacheOf | undefined;
  readonly names: {
    /** `UserCacheRow` */
    readonly row: string;
    /** `NewUser`: what create takes; of owned tables alone. */
    readonly create: string;
    /** `UserPatch`: what update takes; of owned tables alone. */
    readonly patch: string;
    /** `userCache` */
    readonly value: string;
  };
}

export interface Place {
  readonly schema: string;
  readonly table: string;
}

export interface CacheOf {
  /** `auth.user` */
  readonly entity: string;
  /** What the rows of a partial copy hold; empty: it has them all. */
  readonly where: readonly Condition[];
  readonly sync: Sync | undefined;
}

export interface Sync {
  readonly service: string;
  /** `/api/users` */
  readonly path: string;
  /** `AUTH_SERVICE_URL` */
  readonly urlVariable: string;
  /** `SFS_TO_AUTH_KEY` */
  readonly keyVariable: string;
  /** Header that carries the key: `authorization` sends `Bearer <key>`, any other the bare key. */
  readonly header: string;
  /** Seconds between periodic checks of the cache against its source; 0 turns them off. */
  readonly everySeconds: number;
}

export interface RowCheck {
  readonly name: string;
  readonly columns: readonly string[];
  /** As SQL. */
  readonly condition: string;
}

export interface Column {
  readonly name: string;
  readonly description: string | undefined;
  readonly type: ColumnType;
  /**
   * A whole number that events carry as `bigint`: a decimal string wherever it travels, in the whole range of
   * 64 bits. Otherwise it is a JSON number, within what a double holds exactly.
   */
  readonly wide: true | undefined;
  /** Of a table or view that exists, where a document may be of `json` in place of `jsonb`. */
  readonly anyJson: true | undefined;
  readonly nullable: boolean;
  readonly key: boolean;
  readonly unique: boolean;
  /** Of a copy: only hooks fill it; events and snapshots leave it alone. */
  readonly local: true | undefined;
  /** What REST calls it, and so snapshots; undefined: its name. */
  readonly shown: string | undefined;
  /** Of a copy: what fills it, where that is called otherwise. */
  readonly filledBy: Filling | undefined;
  /** Shown to nobody but the service itself. */
  readonly private: true | undefined;
  readonly default: ColumnDefault | undefined;
  /** The existing database has a value for a row that names none. */
  readonly defaulted: true | undefined;
  readonly oneOf: readonly (string | number)[] | undefined;
  /** A condition of SQL on its values. */
  readonly check: string | undefined;
  readonly references: Reference | undefined;
  readonly renamedFrom: string | undefined;
}

export interface Filling {
  /** Of its events; undefined: called as the column. */
  readonly field: string | undefined;
  /** Of the rows in a snapshot; undefined: called as the field. */
  readonly member: string | undefined;
}

export type ColumnDefault =
  /** The present moment as the column's type takes it; a plain timestamp reads the clock in the session's time zone. */
  | { readonly kind: "now" }
  /** The present moment in UTC, whatever the time zone of the session: of a plain timestamp that others write. */
  | { readonly kind: "now_utc" }
  /** The present day in UTC. */
  | { readonly kind: "today_utc" }
  /** Drawn for each row. */
  | { readonly kind: DrawnKey }
  /** Counted by the database. */
  | { readonly kind: "identity" }
  /** A moment with its offset. */
  | { readonly kind: "moment"; readonly value: string }
  | { readonly kind: "literal"; readonly value: string | number | boolean };

export interface Reference {
  readonly table: string;
  readonly column: string;
  readonly onDelete: ReferenceAction;
}

/** What a column of the row has to hold. */
export interface Condition {
  readonly column: string;
  /** One of them; empty where `isNull` is said. */
  readonly values: readonly (string | number | boolean)[];
  readonly isNull: boolean | undefined;
}
