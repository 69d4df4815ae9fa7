import type { Naming } from "../vocabulary/namings.js";
import type { Database } from "./database-model.js";
import type { Event, NamedType } from "./event-model.js";
import type { Call, Service, Stream } from "./service-model.js";

export type { ColumnType, FieldType } from "@meshwright/runtime/column-types";
export type { CascadeAction, Change } from "@meshwright/runtime/vocabulary";
export type { CallVerb } from "../vocabulary/call-verbs.js";
export type { Operation } from "../vocabulary/changes.js";
export type { JsonSchema, JsonValue } from "../vocabulary/json-schema.js";
export type * from "./consumer-model.js";
export type * from "./database-model.js";
export type * from "./event-model.js";
export type * from "./service-model.js";
export type * from "./subscription.js";

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
