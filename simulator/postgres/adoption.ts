import type { ServiceDefinition } from "@meshwright/runtime";
import {
  idSql,
  keyColumns,
  livingRows,
  readMigrations,
  relationOf,
  splitStages,
  splitStatements,
} from "@meshwright/runtime/simulation";
import { escapeLiteral, escapeIdentifier as quote } from "pg";

/*
 * Rows that tables had before the mesh, as the databases know them: which of them live on, and what adopts them.
 */

/** `mesh__sim."$earlier"`: the earlier rows that were neither deleted nor softly deleted since. */
export const EARLIER_ROWS = `
CREATE TABLE mesh__sim."$earlier" (service TEXT NOT NULL, "table" TEXT NOT NULL, id TEXT NOT NULL);
`;

/** Strikes out rows of a table that existed as they go. */
export function observeEarlierRows({ name: service, tables }: ServiceDefinition): string {
  return tables
    .filter(({ existing }) => existing !== undefined)
    .map((table) => {
      const called = `mesh__sim.${quote(`earlier ${service} ${table.name}`.slice(0, 60))}`;
      const lives = ["true", ...livingRows(table, "NEW")].join(" AND ");
      const id = idSql(keyColumns(table), "OLD");
      return `CREATE FUNCTION ${called}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF ${lives} THEN RETURN NULL; END IF;
  END IF;
  DELETE FROM mesh__sim."$earlier" WHERE service = ${escapeLiteral(service)} AND "table" = ${escapeLiteral(table.name)} AND id = ${id};
  RETURN NULL;
END $$;
CREATE TRIGGER "strike out earlier rows" AFTER DELETE OR UPDATE ON ${relationOf(table)} FOR EACH ROW EXECUTE FUNCTION ${called}();`;
    })
    .join("\n");
}

/** What the migrations of a service do with rows that they find, as statements that can run again. */
export async function readAdoption(definition: ServiceDefinition): Promise<readonly string[]> {
  const { name: service, database } = definition;
  if (database === undefined) return [];
  const files = await readMigrations({ ...database, service });
  const statements = files
    .flatMap(({ name, text }) => (name.startsWith("mesh/") ? [] : splitStages({ sql: text })))
    .flatMap(({ transaction, text }) => (transaction ? [] : splitStatements(text)));
  const adopts = /^\s*INSERT INTO mesh\.moment\b|^\s*DO\b[\s\S]*INSERT INTO mesh\.entity_version\b/;
  return statements.flatMap(({ text }) => (adopts.test(text) ? [text] : []));
}
