import { createHash } from "node:crypto";
import type pg from "pg";
import type { ClientBase, ClientConfig } from "pg";
import type { Tx } from "../definition/hook-definition.js";
import { CurrentClient } from "./connecting.js";

/*
 * The schema in which the mesh keeps its tables of one service. The SQL of the runtime calls it `mesh`, which it is unless
 * services share a PostgreSQL database: then all but one have theirs in a schema of their own, `mesh_billing_db`. Their
 * connections send the runtime's SQL with that name in place of `mesh`, and a hook's own SQL as it stands.
 */

/** As SQL of the runtime calls it. */
export const MESH = "mesh";

/** Values and quoted names are others' words, but for values that name what is in the schema. */
const WORDS =
  /(to_reg(?:class|namespace)\(|pg_notify\()?'((?:[^']|'')*)'(::regnamespace)?|"(?:[^"]|"")*"|\bmesh(?=\.[a-z_])|(?<=\bSCHEMA (?:IF NOT EXISTS )?)mesh\b|(?<=\bLISTEN )mesh(?=_outbox\b)/g;

/** A statement of the runtime, for the service whose tables are in this schema. */
export function inMeshSchema(sql: string, schema: string): string {
  if (schema === MESH) return sql;
  return sql.replace(WORDS, (found, call = "", value?: string, cast = "") => {
    if (found === MESH) return schema;
    if (value === undefined || call + cast === "") return found;
    return `${call}'${value.replace(/^mesh(?=$|\.|_outbox$)/, schema)}'${cast}`;
  });
}

/** SQL that makes what is in the schema: all of it is the mesh's own, the texts and comments of its functions too. */
export function madeInMeshSchema(sql: string, schema: string): string {
  return schema === MESH
    ? sql
    : sql.replace(/\bmesh(?=\.(?!yaml\b)|_outbox\b)|(?<=')mesh(?=')|(?<=\bSCHEMA )mesh\b/g, schema);
}

/** Of a pool or connection that `createPool` made; any other is of a service that has `mesh` itself. */
export function meshSchemaOf(options: object): string {
  return "meshSchema" in options && typeof options.meshSchema === "string" ? options.meshSchema : MESH;
}

/** A connection of a service whose tables of the mesh are not in `mesh`. */
class RenamingClient extends CurrentClient {
  /** Sends SQL as it stands. */
  readonly verbatim: Tx;

  constructor(config?: string | ClientConfig) {
    super(config);
    const schema = meshSchemaOf(typeof config === "object" ? config : {});
    const query: unknown = this.query.bind(this);
    const send = (first: unknown, rest: readonly unknown[]) =>
      Reflect.apply(query as (...given: unknown[]) => unknown, undefined, [first, ...rest]);
    this.verbatim = { query: query as Tx["query"] };
    this.query = ((first: unknown, ...rest: unknown[]) => send(renamed(first, schema), rest)) as Tx["query"];
  }
}

/** What `query` takes: a text, an object with one, or a cursor. */
function renamed(query: unknown, schema: string): unknown {
  if (typeof query === "string") return inMeshSchema(query, schema);
  if (typeof query !== "object" || query === null || !("text" in query)) return query;
  if (typeof query.text !== "string") return query;
  const text = inMeshSchema(query.text, schema);
  return "submit" in query ? Object.assign(query, { text }) : { ...query, text };
}

/** What makes the connections of a pool. */
export function connecting(meshSchema: string | undefined): object {
  return meshSchema === undefined || meshSchema === MESH
    ? { Client: CurrentClient }
    : { meshSchema, Client: RenamingClient };
}

/** A connection beside those of the pool, with its settings. */
export function openClient({ options }: Pick<pg.Pool, "options">): pg.Client {
  return meshSchemaOf(options) === MESH ? new CurrentClient(options) : new RenamingClient(options);
}

/** The same connection for SQL that is not the runtime's: it is sent as it stands. */
export function verbatim(client: ClientBase): Tx {
  return client instanceof RenamingClient ? client.verbatim : client;
}

/** The first of the two numbers of an advisory lock: "mesh" in ASCII, or of a digest of the schema's name. */
export function lockSpace(schema: string): number {
  return schema === MESH ? 0x6d_65_73_68 : createHash("sha256").update(schema).digest().readInt32BE();
}

/**
 * SQL: whether a check or index of a table that existed is the mesh's, by its name: `mesh_orders_total_travels` of `orders`. What a table called
 * `mesh_things` has of its own begins with that name.
 */
export function isOwnName(name: string, table: string): string {
  const begins = (prefix: string) => `pg_catalog.starts_with(${name}, ${prefix})`;
  return `(${begins("'mesh_'")} AND (NOT ${begins(`${table} || '_'`)} OR ${begins(`'mesh_' || ${table} || '_'`)}))`;
}

/** SQL: whether it is a schema of the mesh's, whichever service's, by its name and what no other has. `row`: of pg_namespace. */
export function isMeshSchema(row: string): string {
  return `(${row}.nspname ~ '^mesh(_|$)' AND (SELECT count(*) FROM pg_class WHERE relnamespace = ${row}.oid AND relname IN ('entity_version', 'migration', 'place')) = 3)`;
}
