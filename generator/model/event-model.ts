import type { FieldType } from "@meshwright/runtime/column-types";
import type { Change } from "@meshwright/runtime/vocabulary";
import type { Operation } from "../vocabulary/changes.js";
import type { JsonSchema, JsonValue } from "../vocabulary/json-schema.js";
import type { Column, Condition, Table } from "./database-model.js";

/*
 * Events, what implies them, and what they carry.
 */

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
      readonly column: Pick<Column, "name" | "type" | "anyJson">;
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

/** One type in TypeScript, and one definition in each schema that uses it. */
export interface NamedType {
  /** `Money` */
  readonly name: string;
  readonly fields: readonly Field[];
}
