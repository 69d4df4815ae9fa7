import type { Report } from "../../diagnostics/report.js";
import { nearbyDatabases } from "../../language/nearby-databases.js";
import type { Program } from "../../language/program.js";
import type { DatabaseSymbol } from "../../language/symbols.js";
import { repeats } from "../repeats.js";
import type { Rule } from "../rule.js";

/** A database that shares another's lies in it beside the others that do: no table is there twice. */
export const checkSharedDatabases: Rule = (program, report) => {
  for (const database of program.databases.values()) checkShared(database, program, report);
  for (const database of program.databases.values()) {
    if (database.shares === undefined) checkPlaces(nearbyDatabases(database, program), report);
  }
};

/** Reported once. */
function isCircle({ name }: DatabaseSymbol, host: DatabaseSymbol): boolean {
  return host.shares?.value === name;
}

function checkShared(database: DatabaseSymbol, { databases, poisoned }: Program, report: Report): void {
  const { shares } = database;
  if (shares === undefined) return;
  const host = databases.get(shares.value);
  if (host === undefined) {
    if (poisoned.databases) return;
    report(
      "unknown-database",
      shares.span,
      { name: shares.value },
      report.nearest(shares.value, databases, (it) => it.span),
    );
  } else if (host.shares !== undefined && !(isCircle(database, host) && host.name < database.name)) {
    report("shares-shared", shares.span, {
      database: host.name,
      host: isCircle(database, host) ? undefined : host.shares.value,
    });
  }
}

const ADVICE =
  "one service owns it, and others have a copy of its entity; where two are meant, give one another name or schema";

/** Where whoever migrates makes tables, as long as nobody says otherwise. */
const DEFAULT = "public";

function checkPlaces(databases: readonly DatabaseSymbol[], report: Report): void {
  const placed = databases.flatMap(({ name: database, tables }) =>
    [...tables.values()].map(({ name: table, at, span }) => ({
      place: `${at?.schema ?? DEFAULT}.${at?.table ?? table}`,
      table,
      database,
      span,
    })),
  );
  for (const { value, first } of repeats(placed, ({ place }) => place)) {
    const { span, ...table } = value;
    const clue = { first: first.span, advice: ADVICE };
    if (first.database !== value.database)
      report("table-of-two-databases", span, { ...table, first: first.database }, clue);
  }
}
