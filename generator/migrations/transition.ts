import type { Database, Mesh } from "../model/mesh.js";
import { meshSchema } from "../model/names.js";
import { findBreaks } from "./breaks.js";
import { compareDatabases } from "./compare-database.js";
import { movedMesh } from "./continue.js";
import type { TableSchema } from "./database-schema.js";
import { type MigrationText, placesOf, type SqlPrinter } from "./migration-text.js";
import { databaseState } from "./plan.js";
import type { PlaceInDatabase, Refuse } from "./refusal.js";
import type { Step } from "./steps.js";
import { asWritten } from "./written.js";

/** What takes a database from one model to another, whatever migrations there are. */
export interface Transition {
  readonly database: string;
  readonly steps: readonly Step[];
  /** What `mesh generate` takes with --allow-destructive alone, or not at all. */
  readonly refusals: readonly Parameters<Refuse>[0][];
  /** Why releases of before cannot run on the database after it. */
  readonly breaks: readonly string[];
  readonly before: readonly TableSchema[];
  readonly next: readonly TableSchema[];
  readonly places: MigrationText["places"];
}

/** Of the databases that both models have, by their names, as far as anything of them may be another. */
export function planTransitions(
  before: Mesh,
  next: Mesh,
  sql: (database: Database) => Pick<SqlPrinter, "triggers">,
  isTouched: (database: string) => boolean,
): readonly Transition[] {
  return next.databases.flatMap((database) => {
    const old = before.databases.find(({ name }) => name === database.name);
    if (old === undefined || !isTouched(database.name)) return [];
    const from = asWritten(databaseState(before, old, sql(old)));
    const to = databaseState(next, database, sql(database));
    const refusals: Parameters<Refuse>[0][] =
      meshSchema(old) === meshSchema(database)
        ? []
        : [{ ...movedMesh(database.service, { from: meshSchema(old), to: meshSchema(database) }), at: {} }];
    const steps = compareDatabases(from, to, (refusal) => refusals.push(refusal));
    const restricted: readonly PlaceInDatabase[] = refusals.flatMap(({ code, at }) =>
      code === "restrict-rows" ? [at] : [],
    );
    return [
      {
        database: database.name,
        steps,
        refusals,
        breaks: findBreaks({ steps, next: to.schema, restricted }),
        before: from.tables,
        next: to.schema.tables,
        places: placesOf([...from.tables, ...to.schema.tables]),
      },
    ];
  });
}
