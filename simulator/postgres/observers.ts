import type { ServiceDefinition, TableDefinition } from "@meshwright/runtime";
import { relationOf } from "@meshwright/runtime/simulation";
import { escapeLiteral, escapeIdentifier as quote } from "pg";

/*
 * Triggers that write down what the runtime does to rows, for the oracle and the coverage: in `mesh__sim`, on tables of a world alone.
 */

/** Set to `on` while a hook runs: what it writes is the user's. */
export const IN_HOOK = "mesh__sim.in_hook";

export const OBSERVERS = `
CREATE TABLE mesh__sim."$cascaded" ("table" TEXT NOT NULL, "column" TEXT NOT NULL);
CREATE TABLE mesh__sim."$violation" (what TEXT NOT NULL);
CREATE TABLE mesh__sim."$heard" (service TEXT NOT NULL, event_id TEXT NOT NULL, subject TEXT NOT NULL, origin TEXT NOT NULL);
CREATE TABLE mesh__sim."$moment" (
    ordinal BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event TEXT NOT NULL, entity_id TEXT NOT NULL,
    at TIMESTAMPTZ, means BOOLEAN NOT NULL DEFAULT false, told BOOLEAN NOT NULL DEFAULT false, row_id TEXT
);
CREATE TABLE mesh__sim."$written" (
    service TEXT NOT NULL, what TEXT NOT NULL, is_task BOOLEAN NOT NULL, is_done BOOLEAN NOT NULL, is_caused BOOLEAN NOT NULL,
    transaction BIGINT NOT NULL DEFAULT pg_catalog.txid_current()
);
CREATE FUNCTION mesh__sim.remember_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO mesh__sim."$written" VALUES (TG_ARGV[0], NEW.subject, false, false, coalesce(NEW.headers ? 'Mesh-Causation-Id', false));
  RETURN NULL;
END $$;
CREATE FUNCTION mesh__sim.remember_task() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  task RECORD := coalesce(NEW, OLD);
BEGIN
  INSERT INTO mesh__sim."$written" VALUES (TG_ARGV[0], format('the task for %s %s', task.table_name, task.row_key), true, TG_OP = 'DELETE',
    coalesce(task.cause ? 'Mesh-Causation-Id', false));
  RETURN NULL;
END $$;
CREATE FUNCTION mesh__sim.remember_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO mesh__sim."$moment" (event, entity_id, at, told)
  SELECT NEW.entity || '.' || substring(NEW.subject FROM '[^.]*$'), NEW.entity_id, now, true FROM mesh__sim."$clock";
  RETURN NULL;
END $$;
CREATE FUNCTION mesh__sim.count_cascade() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF current_setting('application_name') NOT LIKE 'writer-%' AND to_jsonb(OLD) ->> TG_ARGV[1] IS NOT NULL
     AND (TG_OP = 'DELETE' OR to_jsonb(NEW) ->> TG_ARGV[1] IS NULL
       OR to_jsonb(OLD) ->> TG_ARGV[2] IS DISTINCT FROM to_jsonb(NEW) ->> TG_ARGV[2]) THEN
    INSERT INTO mesh__sim."$cascaded" VALUES (TG_ARGV[0], TG_ARGV[1]);
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION mesh__sim.guard_local() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF current_setting('${IN_HOOK}', true) IS DISTINCT FROM 'on'
     AND to_jsonb(OLD) -> TG_ARGV[1] IS DISTINCT FROM to_jsonb(NEW) -> TG_ARGV[1] THEN
    INSERT INTO mesh__sim."$violation" VALUES (format('%s: %s, which is local, was %s and became %s without a hook',
      TG_ARGV[0], TG_ARGV[1], to_jsonb(OLD) -> TG_ARGV[1], to_jsonb(NEW) -> TG_ARGV[1]));
  END IF;
  RETURN NULL;
END $$;
`;

/** One trigger for each column that a cascade names, and each that hooks alone fill. */
export function observe({ tables, consumers }: ServiceDefinition): string {
  const cascades = consumers
    .flatMap(({ events }) => events.flatMap(({ cascades: rules = [] }) => rules))
    .map(({ table, column }) => trigger(table, column, { calls: "count_cascade", on: "DELETE OR UPDATE" }));
  const locals = tables.flatMap((table) =>
    localColumns(table).map(({ name }) => trigger(table, name, { calls: "guard_local", on: "UPDATE" })),
  );
  return [...new Set([...cascades, ...locals])].join("\n");
}

/** What each transaction writes that says what caused it: events, and tasks of cascades. */
export function observeCauses(service: string): string {
  const name = escapeLiteral(service);
  return `CREATE TRIGGER remember_event AFTER INSERT ON mesh.outbox FOR EACH ROW EXECUTE FUNCTION mesh__sim.remember_event(${name});
CREATE TRIGGER remember_task AFTER INSERT OR UPDATE OF entity_id OR DELETE ON mesh.cascade_task FOR EACH ROW EXECUTE FUNCTION mesh__sim.remember_task(${name});
`;
}

export function localColumns({ columns }: TableDefinition): TableDefinition["columns"] {
  return columns.filter(({ local }) => local === true);
}

function trigger(
  table: TableDefinition,
  column: string,
  { calls, on }: { readonly calls: string; readonly on: string },
): string {
  const given = [table.name, column, ...(table.softDelete === undefined ? [] : [table.softDelete])]
    .map((text) => escapeLiteral(text))
    .join(", ");
  const name = quote(`simulated ${calls} ${column}`.slice(0, 60));
  return `CREATE TRIGGER ${name} AFTER ${on} ON ${relationOf(table)} FOR EACH ROW EXECUTE FUNCTION mesh__sim.${calls}(${given});`;
}
