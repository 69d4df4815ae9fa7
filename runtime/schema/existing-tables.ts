import type { ClientBase } from "pg";
import { keyNames } from "../database/key.js";
import { isMeshSchema } from "../database/mesh-schema.js";
import type { ColumnDefinition, TableDefinition } from "../definition/table-definition.js";
import { factsOf } from "../values/column-types.js";
import { type CatalogTable, readCatalog } from "./catalog.js";
import { MigrationError } from "./ledger.js";

/*
 * Tables that were there before the mesh: whether they are what mesh.yaml says of them. Columns that it does not name
 * are nobody's business here.
 */

/** A table that exists, as mesh.yaml describes it. */
export type ExistingTable = Pick<TableDefinition, "name" | "at" | "key" | "columns" | "existing" | "cacheOf">;

/** Something that mesh.yaml says and the catalogue does not. */
export interface ExistingDifference {
  /** As mesh.yaml calls them. */
  readonly table: string;
  /** It is a view. */
  readonly isView?: true;
  /** It is as mesh.yaml says, and triggers of ours are not as migrations have made them. */
  readonly isTrigger?: true;
  readonly column?: string;
  readonly message: string;
  /** What is there, where what mesh.yaml names is not: names of PostgreSQL. */
  readonly known?: readonly string[];
}

/** `orders.total: there is no such column` */
export function describeDifference({ table, column, message }: ExistingDifference): string {
  return `${column === undefined ? table : `${table}.${column}`}: ${message}`;
}

/** Nothing was migrated: what exists is not what mesh.yaml says. */
export class ExistingDiffers extends MigrationError {
  constructor(
    readonly service: string,
    readonly differences: readonly ExistingDifference[],
  ) {
    const lines = differences.map((difference) => `\n  ${describeDifference(difference)}`);
    super(
      `the tables or views of ${service} that exist are not what mesh.yaml says of them:${lines.join("")}`,
    );
  }
}

/** How tables that exist compare with what mesh.yaml says of them. */
export interface ExistingFindings {
  readonly differences: readonly ExistingDifference[];
  /** Tables of which the asking role is no owner: it can make no trigger of them, and may do all else. */
  readonly foreign: readonly ExistingDifference[];
  /** What holds, and may surprise. */
  readonly notices: readonly ExistingDifference[];
}

/** Compares all tables that exist with the catalogue: one query for each kind of object, whatever their number. */
export async function compareExisting(
  client: ClientBase,
  tables: readonly ExistingTable[],
): Promise<ExistingFindings> {
  const existing = tables.filter((table) => table.existing !== undefined);
  if (existing.length === 0) return { differences: [], foreign: [], notices: [] };
  const catalog = await readCatalog(
    client,
    existing.flatMap(({ at }) => at ?? []),
  );
  const found = (table: ExistingTable) =>
    catalog.find(({ schema, name }) => schema === table.at?.schema && name === table.at.table);
  const isMissing = existing.some((table) => found(table) === undefined);
  const relations = isMissing ? await readRelations(client) : new Map<string, readonly string[]>();
  return {
    differences: existing.flatMap((table) => {
      const known = found(table);
      if (known === undefined)
        return [
          {
            table: table.name,
            message: `there is no ${nameOf(table)}`,
            known: relations.get(table.at?.schema ?? "") ?? [],
          },
        ];
      const kind = KINDS[known.kind];
      if (kind !== undefined) return [{ table: table.name, message: `${nameOf(table)} is ${kind}` }];
      return [...differencesOfTable(table, known), ...differencesOfReferences(table, known, existing)];
    }),
    foreign: existing.flatMap((table) => {
      const known = found(table);
      return known === undefined || known.owned ? [] : [foreignTable(table, known)];
    }),
    notices: existing.flatMap((table) => {
      const known = found(table);
      return known === undefined ? [] : noticesOf(table, known);
    }),
  };
}

/** A trigger finds out whether a row is still there as the role that made it: of a row that this may not see, a change would go untold. */
export const OWNER_BOUND =
  "row level security binds its owner too: changes of rows that the owner may not see would go without events; say ALTER TABLE … NO FORCE ROW LEVEL SECURITY, or come as a role with BYPASSRLS";

/** As PostgreSQL has it. */
export function nameOf({ at, name }: Pick<ExistingTable, "at" | "name">): string {
  return at === undefined ? name : `${at.schema}.${at.table}`;
}

const KINDS: Readonly<Record<string, string>> = {
  v: "a view",
  m: "a materialized view",
  p: "partitioned: rows that are written to a partition itself would go without their events",
  f: "a foreign table, whose rows change elsewhere",
};

function foreignTable({ name: table }: ExistingTable, { owner }: CatalogTable): ExistingDifference {
  return {
    table,
    message: `it belongs to ${owner}: migrate as that role, or as a member of it, for only it makes triggers`,
  };
}

function differencesOfTable(table: ExistingTable, known: CatalogTable): readonly ExistingDifference[] {
  const say = (message: string, column?: string): ExistingDifference => ({
    table: table.name,
    ...(column === undefined ? {} : { column }),
    message,
  });
  const key = keyNames(table);
  const [first = "", ...others] = key;
  const isThere = key.every((name) => known.columns.some((column) => column.name === name));
  return [
    ...(known.inherited ? [say("other tables inherit from it, and their rows have no events")] : []),
    ...(known.ownerBound ? [say(OWNER_BOUND)] : []),
    ...table.columns.flatMap((column) =>
      differencesOfColumn(column, known).map((message) => ({
        ...say(message, column.name),
        ...knownColumns(column, known),
      })),
    ),
    ...(hasUnique(known, key) || !isThere
      ? []
      : others.length === 0
        ? [say("no primary key or unique index is over it alone, so it identifies no row", first)]
        : [say(`no primary key or unique index is over ${key.join(", ")}, so they identify no row`)]),
    ...table.columns
      .filter(({ name, unique }) => unique === true && !hasUnique(known, [name]))
      .map(({ name }) => say("it is not unique", name)),
    // Of a copy each must be known, or a value that its source gives to another row could never be taken.
    ...(table.cacheOf === undefined
      ? []
      : table.columns
          .filter(({ name, unique }) => unique !== true && name !== key.join() && hasUnique(known, [name]))
          .map(({ name }) => say("it is unique: say unique: true", name))),
    ...(table.existing?.unique ?? [])
      .filter((columns) => !hasUnique(known, columns))
      .map((columns) => say(`${columns.join(", ")} together are not unique`)),
  ];
}

function hasUnique({ uniques }: CatalogTable, columns: readonly string[]): boolean {
  const wanted = [...columns].sort().join("\0");
  return uniques.some((unique) => [...unique].sort().join("\0") === wanted);
}

/** Types whose values are all values of the declared one: what does not fit is refused where it is written. */
const WIDER: Readonly<Record<string, readonly string[]>> = {
  text: ["character varying", "citext"],
  integer: ["smallint"],
  // Its value is that of jsonb, which all SQL on it asks for.
  jsonb: ["json"],
};

function differencesOfColumn(column: ColumnDefinition, table: CatalogTable): readonly string[] {
  const known = table.columns.find(({ name }) => name === column.name);
  const type = typeDifference(column, table);
  if (known === undefined) return type === undefined ? [] : [type];
  return [
    ...(type === undefined ? [] : [type]),
    ...(known.notNull && column.nullable === true ? ["it is never NULL: take null away"] : []),
    ...(!known.notNull && column.nullable !== true ? ["it may be NULL: say null: true"] : []),
    ...(column.defaulted === true && !known.defaulted && column.type !== "nanoid"
      ? ["it has no default: take defaulted away"]
      : []),
    ...(known.generated ? ["PostgreSQL computes it, so no row can be written with it: leave it out"] : []),
  ];
}

/** Of a column that is not there those that are. */
export function knownColumns(
  { name }: ColumnDefinition,
  { columns }: CatalogTable,
): Pick<ExistingDifference, "known"> {
  const known = columns.map((column) => column.name);
  return known.includes(name) ? {} : { known };
}

/** By schema. */
async function readRelations(client: ClientBase): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await client.query<{ schema: string; names: readonly string[] }>(
    `SELECT nspname AS schema, pg_catalog.array_agg(relname::text ORDER BY relname) AS names FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
     WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname <> 'information_schema' AND nspname !~ '^pg_' AND NOT ${isMeshSchema("n")} GROUP BY 1`,
  );
  return new Map(rows.map(({ schema, names }) => [schema, names]));
}

/** Whether the column is there, and holds what mesh.yaml says. */
export function typeDifference(column: ColumnDefinition, { columns }: CatalogTable): string | undefined {
  const known = columns.find(({ name }) => name === column.name);
  if (known === undefined) return "there is no such column";
  const { cast, sql } = factsOf(column.type);
  const [bare, said] = [fullName(cast), fullName(sql)];
  // A domain has its limits, if any, elsewhere.
  const isDomain = !known.declared.startsWith(bare.replace("[]", ""));
  const isSame = known.type === bare && (isDomain || known.declared === said);
  // The labels of an enum are texts.
  const isLabel = known.typeKind === "e" && bare === "text";
  const fits = isSame || isLabel || WIDER[bare]?.includes(known.type) === true;
  const [word = ""] = known.type.split(/\W/);
  return fits
    ? undefined
    : `it is ${known.declared.startsWith(word) ? known.declared : known.type}, not ${said}`;
}

/** `character varying(50)[]` of `varchar(50)[]`. */
function fullName(sql: string): string {
  return sql.replace(/^[a-z]+/, (name) => FULL_NAMES[name] ?? name);
}

const FULL_NAMES: Readonly<Record<string, string>> = {
  varchar: "character varying",
  char: "character",
  bpchar: "character",
  timestamp: "timestamp without time zone",
  timestamptz: "timestamp with time zone",
};

const ACTIONS: Readonly<Record<string, string>> = {
  a: "restrict",
  r: "restrict",
  c: "cascade",
  n: "set_null",
  d: "set_default",
};

function differencesOfReferences(
  table: ExistingTable,
  known: CatalogTable,
  tables: readonly ExistingTable[],
): readonly ExistingDifference[] {
  return (table.existing?.references ?? []).flatMap(({ column, table: name, target, onDelete }) => {
    const to = tables.find((other) => other.name === name);
    if (to?.at === undefined) return [];
    const { schema, table: toTable } = to.at;
    const key = known.foreignKeys.find(
      (each) =>
        each.columns.join("\0") === column &&
        each.schema === schema &&
        each.table === toTable &&
        each.targets.join("\0") === target,
    );
    const say = (message: string) => ({ table: table.name, column, message });
    if (key === undefined) return [say(`no foreign key leads from it to ${nameOf(to)} (${target})`)];
    const action = ACTIONS[key.onDelete] ?? key.onDelete;
    return action === onDelete ? [] : [say(`its foreign key says on_delete: ${action}, not ${onDelete}`)];
  });
}

function noticesOf(table: ExistingTable, known: CatalogTable): readonly ExistingDifference[] {
  const named = new Set(table.columns.map(({ name }) => name));
  const needed = known.columns.filter(
    (column) => column.notNull && !column.defaulted && !named.has(column.name),
  );
  return [
    ...needed.map(({ name }) => ({
      table: table.name,
      column: name,
      message:
        "it is never NULL, has no default, and mesh.yaml does not name it: REST and repository cannot make a row",
    })),
    ...(known.rowSecurity
      ? [
          {
            table: table.name,
            message:
              "it has row level security: the service's role must see all rows, or copies lose those that it does not",
          },
        ]
      : []),
  ];
}
