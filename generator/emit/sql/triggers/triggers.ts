import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import {
  dollarQuote,
  identifier,
  literal,
  objectName,
  ownPrefix,
  relation,
} from "../../../migrations/sql-names.js";
import type { Trigger, TriggerFunction, Triggers } from "../../../migrations/trigger-definitions.js";
import type { Event, Mesh, Table } from "../../../model/mesh.js";
import type { Render } from "../sql-render.js";
import { mayFall, type Operation } from "./condition.js";
import { columnText, emissionViews } from "./emissions.js";
import { type GuardedColumn, guardedColumns } from "./guards.js";
import { payloadColumns } from "./payload.js";
import { refusalViews } from "./refusals.js";

const OPERATIONS: readonly Operation[] = ["insert", "update", "delete"];

/**
 * What writes to a table set off: one function writes its events to the outbox and keeps its guarded columns from naming
 * what is deleted. Nothing where a table has neither.
 */
export function tableTriggers(mesh: Mesh, service: string, table: Table, render: Render): Triggers {
  const events = mesh.events.filter((event) => event.service === service && event.emit?.table === table.name);
  const guards = guardedColumns(mesh, service, table);
  const watched = { mesh, table, events, guards };
  const operations = OPERATIONS.filter((operation) => isWatched(watched, operation));
  const keep = events.length === 0 ? [] : [keyTrigger(table, render), truncateTrigger(table, render)];
  return {
    functions: operations.length === 0 ? [] : [tableFunction(watched, operations, render)],
    triggers: [
      ...operations.map((operation) => operationTrigger(table, operation, render)),
      ...guards.map((guard) => guardTrigger(table, guard, render)),
      ...keep,
    ],
  };
}

interface WatchedTable {
  readonly mesh: Mesh;
  readonly table: Table;
  readonly events: readonly Event[];
  readonly guards: readonly GuardedColumn[];
}

/** An update of a guarded column is seen row by row: hardly any update touches one. */
function isWatched({ events, guards }: WatchedTable, operation: Operation): boolean {
  return eventsOf(events, operation).length > 0 || (operation === "insert" && guards.length > 0);
}

function eventsOf(events: readonly Event[], operation: Operation): readonly Event[] {
  return events.filter((event) => event.emit?.on.includes(operation));
}

function functionName(table: Table): string {
  return `mesh.${identifier(objectName("on", table.name))}`;
}

function tableFunction(
  watched: WatchedTable,
  operations: readonly Operation[],
  render: Render,
): TriggerFunction {
  const { table, events, guards } = watched;
  const name = functionName(table);
  const branches = operations.map((operation, index) => ({
    keyword: index === 0 ? "IF" : "ELSIF",
    operation: literal(operation.toUpperCase()),
    ...branchView(watched, operation),
  }));
  const view = {
    name,
    callText: literal(`${name}()`),
    tableText: literal(table.at?.table ?? table.name),
    schemaText: table.at === undefined ? [] : [literal(table.at.schema)],
    keyText: literal(table.key),
    settings: events.some((event) => showsNumbers(event, table)) ? [EXACT_NUMBERS] : [],
    // A column may be called like a variable.
    variables: mayFall(table, "update") && operations.includes("update") ? ["gone TEXT[];"] : [],
    branches,
  };
  const names = events.map((event) => event.name);
  const guarded = guards.map(
    ({ column, entities }) => `${column} names no ${entities.join(" or ")} that is deleted`,
  );
  return {
    name,
    table: table.name,
    comment: `${table.name}: ${[...(names.length > 0 ? [`emits ${names.join(", ")}`] : []), ...guarded].join("; ")}.`,
    text: render("table_function", { ...view, quote: dollarQuote(JSON.stringify(view)) }),
  };
}

function branchView({ mesh, table, events, guards }: WatchedTable, operation: Operation) {
  const emitted = eventsOf(events, operation);
  const falls = mayFall(table, operation);
  return {
    overtaken:
      operation === "delete" || emitted.length === 0
        ? []
        : [{ id: columnText(table, table.key, "written"), mayBeGone: falls }],
    gone: falls ? [columnText(table, table.key, "after")] : [],
    guards:
      operation === "insert"
        ? guards.flatMap(({ column, entities }) =>
            entities.map((entity) => ({
              entity: literal(entity),
              column: literal(column),
              id: columnText(table, column, "added"),
            })),
          )
        : [],
    refusals: emitted.flatMap((event) => refusalViews(event, { mesh, table, operation })),
    emissions: emissionViews(emitted, table, operation),
  };
}

/** The writer's session may ask for fewer digits than a double has. */
const EXACT_NUMBERS = "extra_float_digits = 1";

function showsNumbers(event: Event, table: Table): boolean {
  return payloadColumns(event, table).some(({ type }) => kindOf(factsOf(type).element ?? type) === "number");
}

const TRANSITIONS: Readonly<Record<Operation, string>> = {
  insert: "NEW TABLE AS new_rows",
  update: "OLD TABLE AS old_rows NEW TABLE AS new_rows",
  delete: "OLD TABLE AS old_rows",
};

function operationTrigger(table: Table, operation: Operation, render: Render): Trigger {
  const name = triggerName(table, `on_${operation}`);
  const view = {
    name,
    table: relation(table),
    moment: `AFTER ${operation.toUpperCase()}`,
    transitions: TRANSITIONS[operation],
    function: functionName(table),
  };
  return { ...placed(table, name), columns: [], text: render("operation_trigger", view) };
}

function triggerName(table: Table, ...parts: readonly string[]): string {
  return objectName(...ownPrefix(table), ...parts);
}

function placed(table: Table, name: string): Pick<Trigger, "name" | "table" | "existing"> {
  return { name, table: table.name, existing: table.existing };
}

function guardTrigger(table: Table, { column, entities }: GuardedColumn, render: Render): Trigger {
  const name = triggerName(table, "guard", column);
  const view = {
    name: identifier(name),
    table: relation(table),
    column: identifier(column),
    arguments: [column, ...entities].map(literal).join(", "),
  };
  return { ...placed(table, name), columns: [column], text: render("guard_trigger", view) };
}

function keyTrigger(table: Table, render: Render): Trigger {
  const name = triggerName(table, "refuse_key_change");
  const view = { name, table: relation(table), key: identifier(table.key) };
  return { ...placed(table, name), columns: [table.key], text: render("key_trigger", view) };
}

function truncateTrigger(table: Table, render: Render): Trigger {
  const name = triggerName(table, "refuse_truncate");
  const view = { name, table: relation(table) };
  return { ...placed(table, name), columns: [], text: render("truncate_trigger", view) };
}
