import { escapeIdentifier } from "pg";
import { idSql, keyColumns, keyList } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import { deletionSql, livingRows } from "../database/soft-deletion.js";
import type { ColumnDefinition, TableDefinition } from "../definition/table-definition.js";
import { wireExpression } from "../values/column-sql.js";
import { digestSql } from "../values/digests.js";
import { shownName } from "../values/field.js";
import { ownName, wireFields, wireRow } from "../values/values.js";

/** The statements of one table. Every row leaves PostgreSQL as the text of a JSON object, in column `row`. */
export interface TableSql {
  readonly table: string;
  readonly get: string;
  /** Deletes the row; softly where its table does. */
  readonly delete: string;
  readonly insert: (columns: readonly string[]) => string;
  readonly update: (columns: readonly string[]) => string;
  /** A chunk of a list, in key order. Parameters: the conditions', the key after which to go on (where `after` is true), the limit. */
  readonly chunk: (conditions: readonly string[], parameters: number, after: boolean) => string;
  /** Every row that meets the conditions, in no particular order: one statement, so one consistent snapshot. */
  readonly scan: (conditions: readonly string[], versionOf?: VersionOf) => string;
  /** Digests of these members of every row and of its version; undefined where one is not a member that the audience sees. */
  readonly digests: (members: readonly string[], versionOf: VersionOf) => string | undefined;
  /** Quoted and qualified, for conditions. Throws for a column that the table does not have. */
  readonly column: (name: string) => string;
}

/**
 * Adds two keys at the end of each row: `_version`, 0 for a row whose entity never had an event, and `_first_version`, the first version of
 * its present incarnation, NULL where that is not known.
 */
export interface VersionOf {
  /** Position of the parameter that holds the entity (`auth.user`); absent when the table has none. */
  readonly parameter?: number;
}

/** Who sees the rows: the service itself, or whoever calls it, who gets no private column, and names as the wire has them. */
export type Audience = "service" | "callers";

const known: Readonly<Record<Audience, WeakMap<TableDefinition, TableSql>>> = {
  service: new WeakMap(),
  callers: new WeakMap(),
};

/** Built once per table and audience. */
export function tableSql(table: TableDefinition, audience: Audience = "service"): TableSql {
  const built = known[audience].get(table) ?? buildSql(table, audience);
  known[audience].set(table, built);
  return built;
}

/** The columns that an audience sees. Callers see living rows alone, of which none is marked as deleted. */
export function shownColumns(
  { columns, softDelete }: TableDefinition,
  audience: Audience,
): readonly ColumnDefinition[] {
  return audience === "service"
    ? columns
    : columns.filter((column) => column.private !== true && column.name !== softDelete);
}

function buildSql(table: TableDefinition, audience: Audience): TableSql {
  const quoted = new Map(table.columns.map((column) => [column.name, escapeIdentifier(column.name)]));
  const plain = (name: string) => {
    const found = quoted.get(name);
    if (found === undefined) throw new TypeError(`${table.name} has no column ${JSON.stringify(name)}`);
    return found;
  };
  const column = (name: string) => `"$t".${plain(name)}`;
  const name = relationOf(table);
  const key = keyColumns(table);
  const keys = keyList(key, '"$t"');
  const id = idSql(key, '"$t"');
  const compared = (operator: "=" | ">", first: number) => {
    const given = key.map((_, at) => `$${first + at}`).join(", ");
    return key.length === 1 ? `${keys} ${operator} ${given}` : `(${keys}) ${operator} (${given})`;
  };
  const shown = shownColumns(table, audience);
  const living = livingRows(table, '"$t"');
  const nameOf = audience === "callers" ? shownName : ownName;
  const fields = wireFields(shown, '"$t"', nameOf);
  const row = `${wireRow({ columns: shown }, '"$t"', nameOf)} AS row`;
  return {
    table: name,
    column,
    get: `SELECT ${row} FROM ${name} AS "$t"${where([compared("=", 1), ...living])}`,
    delete: deletionSql(table, [compared("=", 1)]),
    insert: (columns) =>
      columns.length === 0
        ? `INSERT INTO ${name} AS "$t" DEFAULT VALUES RETURNING ${id} AS key, ${row}`
        : `INSERT INTO ${name} AS "$t" (${columns.map(plain).join(", ")}) ` +
          `VALUES (${columns.map((_, at) => `$${at + 1}`).join(", ")}) RETURNING ${id} AS key, ${row}`,
    update: (columns) =>
      `UPDATE ${name} AS "$t" SET ${columns.map((set, at) => `${plain(set)} = $${key.length + at + 1}`).join(", ")}` +
      `${where([compared("=", 1), ...living])} RETURNING ${row}`,
    chunk: (conditions, parameters, after) => {
      const all = [...conditions, ...living, ...(after ? [compared(">", parameters + 1)] : [])];
      const limit = parameters + (after ? key.length : 0) + 1;
      return `SELECT ${id} AS key, ${row} FROM ${name} AS "$t"${where(all)} ORDER BY ${keys} LIMIT $${limit}`;
    },
    scan: (conditions, versionOf) => {
      const versioned =
        versionOf === undefined
          ? fields
          : `${fields}, ${versionField(versionOf)} AS "_version", ${firstVersionField(versionOf)} AS "_first_version"`;
      const join = versionOf?.parameter === undefined ? "" : versionJoin(id, versionOf.parameter);
      return `SELECT pg_catalog.row_to_json("$row")::text AS row FROM (SELECT ${versioned} FROM ${name} AS "$t"${join}${where([...conditions, ...living])}) AS "$row"`;
    },
    digests: (members, versionOf) => {
      const values = members.flatMap((member) => {
        const of = shown.find((one) => nameOf(one) === member);
        return of === undefined ? [] : [wireExpression(of, column(of.name))];
      });
      if (values.length < members.length) return undefined;
      const join = versionOf.parameter === undefined ? "" : versionJoin(id, versionOf.parameter);
      const from = `${name} AS "$t"${join}${where(living)}`;
      return digestSql({ id, values, version: versionField(versionOf), from });
    },
  };
}

/** At least the minimum version: in a restored database the counter may be below the versions that consumers have applied. */
function versionField({ parameter }: VersionOf): string {
  return parameter === undefined
    ? "0"
    : 'greatest("$v".version, (SELECT relay.minimum_version FROM mesh.relay AS relay))';
}

function firstVersionField({ parameter }: VersionOf): string {
  return parameter === undefined ? "NULL" : '"$v".first_version';
}

function versionJoin(id: string, parameter: number): string {
  return (
    ` LEFT JOIN mesh.entity_version AS "$v" ON "$v".entity = $${parameter}` +
    ` AND "$v".entity_id = (${id} COLLATE "C")`
  );
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
}
