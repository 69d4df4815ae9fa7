import type { ClientBase } from "pg";
import { isMeshSchema } from "../database/mesh-schema.js";
import type { ExistingTable } from "./existing-tables.js";
import { MigrationError } from "./ledger.js";

/** Nothing was migrated: another service of the database has not released a table yet that comes from it. */
export class TablesHeld extends MigrationError {
  constructor(
    readonly service: string,
    readonly tables: readonly string[],
    /** Where the mesh keeps what is of the others. */
    readonly schemas: readonly string[],
    /** The others, by name where somebody knows them. */
    holders = `the service whose tables of the mesh are in schema ${schemas.join(", ")}`,
  ) {
    super(
      `${service} cannot take ${tables.join(", ")}: the triggers of ${holders} are still there. Migrate that one first: it releases the table`,
    );
  }
}

/** Throws `TablesHeld` where triggers of another service are on tables that exist: each row would be told of twice, under one name. */
export async function requireReleased(
  client: ClientBase,
  service: string,
  tables: readonly ExistingTable[],
): Promise<void> {
  const existing = tables.flatMap(({ existing, at }) => (existing === undefined ? [] : (at ?? [])));
  if (existing.length === 0) return;
  const { rows } = await client.query<{ table: string; schema: string }>(HELD, [
    existing.map(({ schema }) => schema),
    existing.map(({ table }) => table),
  ]);
  if (rows.length === 0) return;
  const distinct = (values: readonly string[]) => [...new Set(values)];
  throw new TablesHeld(
    service,
    distinct(rows.map(({ table }) => table)),
    distinct(rows.map(({ schema }) => schema)),
  );
}

const HELD = `
SELECT DISTINCT c.relname AS table, n.nspname AS schema
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS home ON home.oid = c.relnamespace
  JOIN pg_proc AS p ON p.oid = t.tgfoid JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE NOT t.tgisinternal AND t.tgname LIKE 'mesh\\_%' AND (home.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))
  AND n.oid IS DISTINCT FROM pg_catalog.to_regnamespace('mesh')::oid AND ${isMeshSchema("n")}
ORDER BY 1, 2`;
