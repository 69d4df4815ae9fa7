import type { Step } from "../../migrations/steps.js";
import { planTransitions, type Transition } from "../../migrations/transition.js";
import type { Database, Mesh, Table } from "../../model/mesh.js";
import { meshSchema } from "../../model/names.js";
import type { Templates } from "../../templates.js";
import { openLookup } from "../lookup.js";
import { type Lock, lockOf } from "./locks.js";
import { STAGES, stagesOf } from "./print-stages.js";
import { openPrinting, openSqlRender } from "./sql-render.js";
import { tableTriggers } from "./triggers/triggers.js";

/** A statement of a migration, or a few that belong together, in the order in which they run. */
export interface Statement {
  readonly step: Step;
  readonly sql: string;
  readonly lock: Lock;
}

export interface PrintedTransition extends Transition {
  readonly statements: readonly Statement[];
}

/** What runs in each database that both models have, from one model to the other, with the locks that it takes. */
export function emitTransitions(
  before: Mesh,
  next: Mesh,
  templates: Templates,
): readonly PrintedTransition[] {
  const triggersOf = (database: Database) => {
    const render = openSqlRender(templates, meshSchema(database));
    return { triggers: (mesh: Mesh, table: Table) => tableTriggers(mesh, { database, table, render }) };
  };
  const [made, makes] = [whatMakes(before), whatMakes(next)];
  const touched = (name: string) => made(name) !== makes(name);
  return planTransitions(before, next, triggersOf, touched).map((transition) => {
    const database = next.databases.find(({ name }) => name === transition.database);
    const render = openSqlRender(templates, meshSchema({ shared: database?.shared }));
    const printing = openPrinting(render, transition.places);
    const statements = transition.steps.flatMap((step) =>
      stagesOf(step, printing).map(([stage, { text }]) => ({
        stage,
        step,
        sql: text,
        lock: lockOf(step, stage, transition.before),
      })),
    );
    return {
      ...transition,
      statements: STAGES.flatMap((name) => statements.filter(({ stage }) => stage === name)),
    };
  });
}

/** All that a database follows from, as text: where it is the same nothing runs, and no trigger is printed to see that. */
function whatMakes(mesh: Mesh): (database: string) => string {
  const lookup = openLookup(mesh);
  const databases = new Map(mesh.databases.map((database) => [database.name, database]));
  return (name) => {
    const database = databases.get(name);
    if (database === undefined) return "";
    const service = lookup.service(database.service);
    const heard = service.consumers.flatMap((consumer) => consumer.events.map(lookup.event));
    return JSON.stringify([database, service, lookup.events(service), heard]);
  };
}
