import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import { columnText, idText, keyArgument, keyList, rowLives } from "../../../migrations/row-sql.js";
import { identifier, objectName, ownPrefix, relation } from "../../../migrations/sql-names.js";
import type { Trigger, TriggerFunction, Triggers } from "../../../migrations/trigger-definitions.js";
import type { Database, Event, Mesh, Operation, Table } from "../../../model/mesh.js";
import { meshSchema } from "../../../model/names.js";
import { dollarQuote, literal } from "../../../quote/sql.js";
import { emittedFrom } from "../../../rules/emitted.js";
import type { Render } from "../sql-render.js";
import { mayFall } from "./condition.js";
import { createdText, placesRead } from "./created-text.js";
import { emissionViews } from "./emissions.js";
import { type GuardedColumn, guardedColumns } from "./guards.js";
import { dueFunctions, scheduleViews, timedEvents } from "./moments.js";
import { eventsOf, type Occasion, occasionsOf, occasionTerms } from "./occasions.js";
import { shownTypes } from "./payload.js";
import { refusalViews } from "./refusals.js";

const OPERATIONS: readonly Operation[] = ["insert", "update", "delete"];

/**
 * What writes to a table set off: one function writes its events to the outbox and keeps its guarded columns from naming
 * what is deleted. Nothing where a table has neither.
 */
export function tableTriggers(mesh: Mesh, { database, table, render }: TriggerParts): Triggers {
  const { service } = database;
  const schema = meshSchema(database);
  const events = emittedFrom(table, mesh);
  const guards = guardedColumns(mesh, service, table);
  const watched = { mesh, schema, table, events, guards };
  const operations = OPERATIONS.filter((operation) => isWatched(watched, operation));
  return {
    functions: [
      ...(operations.length === 0 ? [] : [tableFunction(watched, operations, render)]),
      ...dueFunctions(mesh, table, { schema, events, settings: settingsOf(watched), render }),
    ],
    triggers: [
      ...operations.map((operation) => attached(watched, `on_${operation}`)),
      ...(events.length === 0 ? [] : [attached(watched, "refuse_truncate"), keyTrigger(watched)]),
      ...guards.map((guard) => guardTrigger(watched, guard)),
    ],
  };
}

interface TriggerParts {
  readonly database: Database;
  readonly table: Table;
  readonly render: Render;
}

interface WatchedTable {
  readonly mesh: Mesh;
  /** Where the mesh keeps its tables and functions. */
  readonly schema: string;
  readonly table: Table;
  readonly events: readonly Event[];
  readonly guards: readonly GuardedColumn[];
}

/** An update of a guarded column is seen row by row: hardly any update touches one. */
function isWatched({ table, events, guards }: WatchedTable, operation: Operation): boolean {
  const hasTasks = guards.some((guard) => guard.hasTasks);
  return (
    hasEvents(events, table, operation) ||
    (operation === "insert" && guards.length > 0) ||
    (hasTasks && rowsThatBegin(table, operation).length > 0)
  );
}

/** SQL: the rows that such a statement inserts or brings back; empty where there can be none. */
function rowsThatBegin(
  table: Table,
  operation: Operation,
): readonly { readonly row: string; readonly from: string }[] {
  if (operation === "insert") return [{ row: "added", from: "new_rows AS added" }];
  return occasionsOf(table, operation)
    .filter(({ means }) => means === "insert")
    .map((occasion) => ({
      row: "after",
      from: `old_rows AS before JOIN new_rows AS after USING (${keyList(table)}) WHERE ${occasionTerms(table, occasion).join(" AND ")}`,
    }));
}

/** Events at a time follow from every change of their rows: each may move the moment. */
function hasEvents(events: readonly Event[], table: Table, operation: Operation): boolean {
  if (timedEvents(events).length > 0) return true;
  return occasionsOf(table, operation).some((occasion) => eventsOf(events, occasion).length > 0);
}

const UPDATE: Occasion = { statement: "update", means: "update" };

function functionName({ schema, table }: WatchedTable): string {
  return `${schema}.${identifier(objectName("on", table.name))}`;
}

function tableFunction(
  watched: WatchedTable,
  operations: readonly Operation[],
  render: Render,
): TriggerFunction {
  const { table, events, guards } = watched;
  const name = functionName(watched);
  const branches = operations.map((operation, index) => ({
    keyword: index === 0 ? "IF" : "ELSIF",
    operation: literal(operation.toUpperCase()),
    ...branchView(watched, operation),
  }));
  const falls = mayFall(table, UPDATE) && operations.includes("update");
  const view = {
    name,
    tableText: literal(table.at?.table ?? table.name),
    schemaText: table.at === undefined ? [] : [literal(table.at.schema)],
    keyText: keyArgument(table),
    settings: settingsOf(watched),
    overtaken: overtakenView(watched),
    variables: falls ? ["gone TEXT[];"] : [],
    // A column may be called like the variable.
    directives: falls ? ["#variable_conflict use_variable"] : [],
    branches,
  };
  const timed = timedEvents(events);
  const names = events.filter((event) => !timed.includes(event)).map((event) => event.name);
  const kept = timed.map((event) => `keeps the moments of ${event.name}`);
  const guarded = guards.map(
    ({ column, entities }) => `${column} names no ${entities.join(" or ")} that is deleted`,
  );
  return {
    name,
    table: table.name,
    comment: `${table.name}: ${[...(names.length > 0 ? [`emits ${names.join(", ")}`] : []), ...kept, ...guarded].join("; ")}.`,
    text: createdText(render("table_function", { ...view, quote: dollarQuote(JSON.stringify(view)) }), {
      signature: `${name}()`,
      reads: placesRead(events),
      render,
    }),
  };
}

/** Of the operations that leave rows and have events. */
function overtakenView({ table, events }: WatchedTable) {
  const [first, second] = (["insert", "update"] as const).filter((operation) =>
    hasEvents(events, table, operation),
  );
  if (first === undefined) return [];
  return [
    {
      operations: second === undefined ? `tg_op = ${literal(first.toUpperCase())}` : "tg_op <> 'DELETE'",
      mayBeGone: mayFall(table, UPDATE) ? "tg_op = 'UPDATE'" : "false",
      id: idText(table, "written"),
    },
  ];
}

function branchView({ mesh, table, events, guards }: WatchedTable, operation: Operation) {
  const occasions = occasionsOf(table, operation).map((occasion) => ({
    occasion,
    emitted: eventsOf(events, occasion),
  }));
  const beginnings = guards.some(({ hasTasks }) => hasTasks) ? rowsThatBegin(table, operation) : [];
  return {
    gone: occasions.some(({ occasion }) => mayFall(table, occasion)) ? [idText(table, "after")] : [],
    guards:
      operation === "insert"
        ? guards.flatMap(({ column, entities }) =>
            entities.map((entity) => ({
              entity: literal(entity),
              column: literal(column),
              id: columnText(table, column, "added"),
              lives: rowLives(table, "added"),
            })),
          )
        : [],
    replaced: beginnings.map(({ row, from }) => ({
      table: literal(table.name),
      id: idText(table, row),
      from,
    })),
    refusals: occasions.flatMap(({ occasion, emitted }) =>
      emitted.flatMap((event) => refusalViews(event, { mesh, table, occasion })),
    ),
    emissions: occasions.flatMap(({ occasion, emitted }) => emissionViews(emitted, table, occasion)),
    schedules: scheduleViews(events, table, operation),
  };
}

/** The writer's session may ask for fewer digits than a double has. */
const EXACT_NUMBERS = "extra_float_digits = 1";

function settingsOf({ events, table }: WatchedTable): readonly string[] {
  return events.some((event) => showsNumbers(event, table)) ? [EXACT_NUMBERS] : [];
}

function showsNumbers(event: Event, table: Table): boolean {
  return shownTypes(event, table).some((type) => kindOf(factsOf(type).element ?? type) === "number");
}

/** A trigger that `mesh.attach` knows by its name. */
function attached(watched: WatchedTable, what: string): Trigger {
  const { schema, table } = watched;
  const name = triggerName(table, what);
  const call = `${schema}.attach(${relationText(table)}, ${literal(`${functionName(watched)}()`)}`;
  return { ...placed(table, name), columns: [], call, arguments: literal(name) };
}

function keyTrigger({ schema, table }: WatchedTable): Trigger {
  const name = triggerName(table, "refuse_key_change");
  const call = `${schema}.keep_key(${relationText(table)}, ${literal(name)}`;
  return { ...placed(table, name), columns: table.key, call, arguments: table.key.map(literal).join(", ") };
}

function guardTrigger({ schema, table }: WatchedTable, { column, entities }: GuardedColumn): Trigger {
  const name = triggerName(table, "guard", column);
  const { softDelete } = table;
  const said = [relationText(table), literal(name), literal(column)];
  const call =
    softDelete === undefined
      ? `${schema}.guard(${said.join(", ")}`
      : `${schema}.guard_living(${[...said, literal(softDelete)].join(", ")}`;
  const columns = [column, ...(softDelete === undefined ? [] : [softDelete])];
  const reason = `No row may begin to refer to a deleted ${entities.join(" or ")}: the cascade of the deletion is over, so the row would stay.`;
  return { ...placed(table, name), columns, call, arguments: entities.map(literal).join(", "), reason };
}

function triggerName(table: Table, ...parts: readonly string[]): string {
  return objectName(...ownPrefix(table), ...parts);
}

function placed(table: Table, name: string): Pick<Trigger, "name" | "table" | "existing"> {
  return { name, table: table.name, existing: table.existing };
}

function relationText(table: Table): string {
  return literal(relation(table));
}
