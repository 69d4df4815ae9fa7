import type { ColumnType, FieldType } from "@meshwright/runtime/column-types";
import type { CascadeAction, Change, ReferenceAction } from "@meshwright/runtime/vocabulary";
import type { CallVerb } from "../vocabulary/call-verbs.js";
import type { Operation } from "../vocabulary/changes.js";
import type { Envelope } from "../vocabulary/envelopes.js";
import type { JsonSchema, JsonValue } from "../vocabulary/json-schema.js";
import type { DrawnKey } from "../vocabulary/made-keys.js";
import type { Naming } from "../vocabulary/namings.js";

export type { CallVerb, CascadeAction, Change, ColumnType, FieldType, JsonSchema, JsonValue, Operation };

/**
 * The resolved mesh: what mesh.yaml means, with every name that is printed anywhere computed once.
 *
 * It is plain readonly data that survives `JSON.stringify` (the lock file stores it), so it holds
 * no YAML, no spans, no functions and no cycles: parts refer to each other by name.
 * Lists whose order in the file carries no meaning (services, databases, tables, events) are sorted,
 * so that moving a block in mesh.yaml changes no emitted byte. Columns and payload fields keep
 * their order: it is the order on the wire and in the table.
 */
export interface Mesh {
  readonly name: string;
  readonly description: string | undefined;
  /** Of services that do not say otherwise. */
  readonly naming: Naming;
  readonly services: readonly Service[];
  readonly databases: readonly Database[];
  readonly events: readonly Event[];
  readonly streams: readonly Stream[];
  /** By caller, then callee. */
  readonly calls: readonly Call[];
  /** The objects that payloads share, by name. */
  readonly types: readonly NamedType[];
}

/** One type in TypeScript, and one definition in each schema that uses it. */
export interface NamedType {
  /** `Money` */
  readonly name: string;
  readonly fields: readonly Field[];
}

/** What one service may call of another over HTTP, and everything else is refused to it. */
export interface Call {
  readonly caller: string;
  readonly callee: string;
  /** `AUTH_SERVICE_URL` */
  readonly urlVariable: string;
  /** `SFS_TO_AUTH_KEY`: what the caller shows, and the callee knows it by. No other pair has the same. */
  readonly keyVariable: string;
  readonly reasons: readonly ("sync" | "existence" | "declared")[];
  /** For `existence` alone: the caller runs without it, and lost deletions stay unnoticed. */
  readonly optional: true | undefined;
  readonly grants: readonly Grant[];
}

export interface Grant {
  /** `/api/users`, and the rows below it. */
  readonly path: string;
  readonly verbs: readonly CallVerb[];
}

export interface Service {
  /** As written: `sfs`. First token of its subjects, folder under `generated/`. */
  readonly name: string;
  readonly description: string | undefined;
  /** `metadata.source` of every event that it publishes: `sfs-service`. */
  readonly source: string;
  /** A service written by hand elsewhere: only its types, validators and schemas are emitted. */
  readonly external: boolean;
  /** How an external service's messages say whose they are; undefined: the documented `metadata`. */
  readonly envelope: Exclude<Envelope, "mesh"> | undefined;
  readonly naming: Naming;
  /** undefined: an external service, or one that only hands to its hooks what it hears, at least once. */
  readonly database: string | undefined;
  /** Of a service without a database: the stream of its dead letters. */
  readonly deadLetters: DeadLetters | undefined;
  /** As written: `auth.user.*`. */
  readonly publishes: readonly SubjectPattern[];
  readonly subscribes: readonly SubjectPattern[];
  /** Names of the stream that holds its events; undefined when it publishes none. */
  readonly stream: string | undefined;
  /** Names of its own events (`UserCreated`), in canonical order. */
  readonly events: readonly string[];
  readonly consumers: readonly Consumer[];
  readonly http: Http | undefined;
  /** Everything it reads from its environment, the documented variables first. */
  readonly environment: readonly EnvironmentVariable[];
  readonly names: {
    /** `Sfs`: prefix of its types. */
    readonly type: string;
    /** `sfs`: prefix of its constants and functions. */
    readonly value: string;
  };
}

export interface DeadLetters {
  /** `DEAD_MAILER` */
  readonly stream: string;
  /** As `streams` of the mesh says; undefined: 1 under `mesh dev`, 3 in production. */
  readonly replicas: number | undefined;
}

export interface SubjectPattern {
  /** As the file says it: `auth.user.*`, `sfs.*`. */
  readonly text: string;
  /** As a NATS filter: `auth.user.*.*`, `sfs.*.*.*`. The text of mesh.yaml itself would match nothing. */
  readonly filter: string;
  readonly service: string;
  /** undefined: every entity of the service. */
  readonly entity: string | undefined;
}

export interface Http {
  readonly port: number;
  readonly resources: readonly Resource[];
}

export interface Resource {
  /** `/api/users` */
  readonly path: string;
  readonly table: string;
  /** A cache table, or a view, is served for reading only. */
  readonly readonly: boolean;
}

export interface EnvironmentVariable {
  readonly name: string;
  /** The runtime reads it, whatever mesh.yaml says. */
  readonly builtIn: boolean;
  readonly description: string;
  readonly required: boolean;
  readonly default: string | undefined;
  readonly example: string | undefined;
}

export interface Stream {
  /** `AUTH` */
  readonly name: string;
  readonly service: string;
  /** `auth.user.*.*` */
  readonly subjects: readonly string[];
  /** undefined: 1 under `mesh dev`, 3 in production. */
  readonly replicas: number | undefined;
  readonly maxAgeSeconds: number;
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly duplicateWindowSeconds: number;
  /** How long a deletion is remembered; undefined: for ever. */
  readonly tombstoneSeconds: number | undefined;
  /** Of an external owner: how its messages say whose they are. */
  readonly envelope: Service["envelope"];
  /** True for an external owner: services wait for its stream. */
  readonly external: boolean;
  /** True where the file says how an external owner's stream is kept: it is then provisioned like any other; else only `mesh dev` stands in and makes it. */
  readonly described: true | undefined;
}

/** One durable pull consumer: one service, one subscribed entity; and another for each name under which it hears the entity again. */
export interface Consumer {
  /** `mailer`: of hooks alone, without cache and cascades. */
  readonly name: string | undefined;
  /** `sfs_auth_user`, `sfs_auth_user_mailer`. Renaming a durable makes JetStream start a new one, so it depends on ids alone. */
  readonly durable: string;
  readonly stream: string;
  /** `auth.user.*`, or one action of it: `auth.user.deleted`. */
  readonly pattern: string;
  /** `auth.user.*.*`, `auth.user.*.deleted` */
  readonly filter: string;
  /** `auth.user`: whose events it receives. */
  readonly entity: string;
  readonly publisher: string;
  /** Names of the events it receives, in canonical order. */
  readonly events: readonly string[];
  /** The cache table it keeps, in the service's database. */
  readonly cache: string | undefined;
  /**
   * Where a service that keeps no cache reads which entities there are, so that a lost deletion does not
   * leave its rows for ever; undefined with a cache, and where the owner serves no list of them.
   */
  readonly source: Source | undefined;
  readonly cascades: readonly Cascade[];
  readonly delivery: Delivery;
  readonly names: {
    /** `SfsUser`: prefix of `SfsUserHooks`. */
    readonly type: string;
    /** `sfsUser`: prefix of `sfsUserConsumer`. */
    readonly value: string;
    /** `auth-user.ts`, `auth.user.mailer.ts`, in the service's folder of consumers. */
    readonly file: string;
  };
}

export interface Cascade {
  /** Name of the event that sets it off: `UserDeleted`. */
  readonly event: string;
  readonly action: CascadeAction;
  readonly table: string;
  readonly column: string;
  /** Name of the hook that is called for each row before it goes. */
  readonly before: string | undefined;
}

export interface Delivery {
  /** How often a failing handler is tried before the event becomes a dead letter. */
  readonly attempts: number;
  /** Seconds to wait after each failed attempt; the last one repeats. */
  readonly backoffSeconds: readonly number[];
  readonly ackWaitSeconds: number;
  readonly maxAckPending: number;
  readonly batch: number;
}

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
  /** Folder of SQL of its own, beside mesh.yaml: `sql/shop`. */
  readonly sql: string | undefined;
  readonly tables: readonly Table[];
  readonly views: readonly View[];
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

export interface Source extends Sync {
  /** Fields of each element that make the entity's id. */
  readonly key: readonly string[];
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

export interface Event {
  /** `UserCreated`: its type, its schema file, its validator's suffix. */
  readonly name: string;
  readonly service: string;
  readonly entity: string;
  readonly action: string;
  /** `auth.user.{id}.created` */
  readonly subject: string;
  /** `auth.user.*.created`: as NATS filters it. */
  readonly filter: string;
  /** What an external service does otherwise than the protocol says; undefined: nothing. */
  readonly foreign: ForeignEvent | undefined;
  /** `metadata.source` on the wire. */
  readonly source: string;
  readonly description: string | undefined;
  /** What it says of its entity; `none` for a mere occurrence. */
  readonly change: Change;
  readonly emit: Emit | undefined;
  readonly payload: readonly Field[];
  readonly names: {
    /** `userCreated`: its publisher's method. */
    readonly value: string;
    /** `onUserCreated`: its handler hook. */
    readonly hook: string;
  };
}

export interface ForeignEvent {
  /** `m.*.c.{id}.>` */
  readonly subject: string | undefined;
  /** Of CloudEvents. */
  readonly type: string | undefined;
  /** Fields that hold the entity's id, and the event's. */
  readonly idField: string | undefined;
  readonly eventIdField: string | undefined;
}

/** The owned table whose rows imply the event. */
export interface Emit {
  readonly table: string;
  /** Column that names the entity; undefined: the table's key, for its rows are the entity. */
  readonly id: string | undefined;
  readonly on: readonly Operation[];
  /** Column with the moment at which the row means the event; then `on` is empty. */
  readonly at: string | undefined;
  /** What the row must not hold at the moment; empty: nothing. */
  readonly unless: readonly Condition[];
  /** Columns of which an update must change one; empty: those that the payload shows. */
  readonly of: readonly string[];
  /** What the row must hold; on update without `of`: and did not hold before. */
  readonly when: readonly Condition[];
}

/** What a column of the row has to hold. */
export interface Condition {
  readonly column: string;
  /** One of them; empty where `isNull` is said. */
  readonly values: readonly (string | number | boolean)[];
  readonly isNull: boolean | undefined;
}

export type FieldSource =
  /** A column of the row. `member`: what its owner's rows call it; undefined where rows of something else emit the event. */
  | { readonly kind: "column"; readonly column: string; readonly member: string | undefined }
  /** What the column held before the update. */
  | { readonly kind: "old"; readonly column: string }
  /** A column of the row that `by` references. */
  | {
      readonly kind: "referenced";
      readonly by: string;
      readonly table: Pick<Table, "name" | "at" | "key">;
      readonly column: Pick<Column, "name" | "type">;
    }
  | { readonly kind: "constant"; readonly value: JsonValue }
  | { readonly kind: "object"; readonly fields: readonly Field[] };

export interface Field {
  readonly name: string;
  /** Where a table emits its event: what fills it. */
  readonly source: FieldSource | undefined;
  readonly description: string | undefined;
  /** May be absent or null. */
  readonly optional: boolean;
  /** Set for the shorthand types, where SQL can print the column as the field. */
  readonly type: FieldType | undefined;
  /** Set for a shorthand list: the type of its elements. */
  readonly each: FieldType | undefined;
  /** JSON Schema 2020-12 of the field, which stands on its own. */
  readonly schema: JsonSchema;
  /** The same with `$ref` in place of the mesh's types: `#/$defs/Money`; undefined where it uses none. */
  readonly named: JsonSchema | undefined;
}
