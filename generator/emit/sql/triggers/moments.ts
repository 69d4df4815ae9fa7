import { fromTextExpression } from "@meshwright/runtime/column-sql";
import { dueOf, keyArray, momentName, routineName } from "../../../migrations/row-moments.js";
import { columnText, idText, rowLives } from "../../../migrations/row-sql.js";
import { HOME, identifier, relation } from "../../../migrations/sql-names.js";
import type { TriggerFunction } from "../../../migrations/trigger-definitions.js";
import type { Event, Mesh, Operation, Table } from "../../../model/mesh.js";
import { dollarQuote, literal } from "../../../quote/sql.js";
import type { Render } from "../sql-render.js";
import { changed, holds, ROW_NUMBER, type RowSource, rowSource } from "./condition.js";
import { createdText, placesRead } from "./created-text.js";
import { entityName } from "./emissions.js";
import { type Occasion, occasionsOf, occasionTerms } from "./occasions.js";
import { payloadList } from "./payload.js";
import { refusalsOf } from "./refusals.js";

/*
 * Events at a time. The triggers of a table keep the moments of its rows (`mesh.moment`); a function of the table writes the
 * events of those that have come, from the rows as they are then.
 */

/** A statement that keeps the moments of the rows of one occasion. */
export interface ScheduleView {
  readonly event: string;
  readonly routine: string;
  readonly key: string;
  /** When the row means the event; NULL: never. */
  readonly due: string;
  readonly from: string;
  readonly where: readonly string[];
  readonly number: string;
}

export function timedEvents(events: readonly Event[]): readonly Event[] {
  return events.filter(({ emit }) => emit?.at !== undefined);
}

export function scheduleViews(
  events: readonly Event[],
  table: Table,
  operation: Operation,
): readonly ScheduleView[] {
  return timedEvents(events).flatMap((event) =>
    occasionsOf(table, operation).map((occasion) => scheduleView(event, table, occasion)),
  );
}

function scheduleView(event: Event, table: Table, occasion: Occasion): ScheduleView {
  const { row, from } = rowSource(table, occasion);
  const due = dueOf(event, table, row);
  const terms: Readonly<Record<Operation, readonly string[]>> = {
    insert: [`${due} IS NOT NULL`],
    update: [changed(table.columns.filter(({ name }) => name === event.emit?.at))],
    delete: [],
  };
  return {
    event: literal(momentName(event)),
    routine: literal(routineName(table)),
    key: keyArray(table, row),
    due: occasion.means === "delete" ? "NULL" : due,
    from,
    where: [...occasionTerms(table, occasion), ...terms[occasion.means]],
    number: `${row}.${ROW_NUMBER}`,
  };
}

const ROW = "kept";

/** Nothing where no event of the table is told at a time. */
export function dueFunctions(
  mesh: Mesh,
  table: Table,
  {
    schema,
    events,
    settings,
    render,
  }: {
    readonly schema: string;
    readonly events: readonly Event[];
    readonly settings: readonly string[];
    readonly render: Render;
  },
): readonly TriggerFunction[] {
  const timed = timedEvents(events);
  if (timed.length === 0) return [];
  const name = `${schema}.${identifier(routineName(table))}`;
  const view = {
    name,
    table: placeOf(table),
    tableText: literal(table.at?.table ?? table.name),
    match: matchOf(table),
    settings,
    events: timed.map((event, index) => ({
      keyword: index === 0 ? "IF" : "ELSIF",
      ...dueView(event, table),
      refusals: refusalsOf(event, {
        mesh,
        table,
        source: sourceOf(table),
        meant: dueTerms(event, table).join(" AND "),
      }),
    })),
  };
  const names = timed.map((event) => `${event.name} at ${event.emit?.at}`).join(", ");
  return [
    {
      name,
      table: table.name,
      comment: `${table.name}: emits ${names}.`,
      text: createdText(render("due_function", { ...view, quote: dollarQuote(JSON.stringify(view)) }), {
        signature: `${name}(text, text[], integer)`,
        reads: placesRead(timed),
        render,
      }),
    },
  ];
}

/** The function looks for no table by itself: whose it finds would be up to others. */
function placeOf(table: Table): string {
  return table.at === undefined ? `${HOME}.${relation(table)}` : relation(table);
}

/** The rows that were locked, each with its moment. */
function sourceOf(table: Table): RowSource {
  return {
    row: ROW,
    before: undefined,
    from: `unnest(held) AS due JOIN ${placeOf(table)} AS ${ROW} ON ${matchOf(table)}`,
  };
}

function matchOf(table: Table): string {
  const cells = table.key.map((key, index) => {
    const type = table.columns.find(({ name }) => name === key)?.type ?? "text";
    const given = fromTextExpression({ type }, `due.row_key[${index + 1}]`);
    return `${ROW}.${identifier(key)} = ${given}`;
  });
  return cells.join(" AND ");
}

function dueView(event: Event, table: Table) {
  const about = event.emit?.id;
  const named = about === undefined ? [] : [`${ROW}.${identifier(about)} IS NOT NULL`];
  return {
    event: literal(momentName(event)),
    call: about === undefined ? "emit" : "emit_about",
    entity: literal(entityName(event)),
    action: literal(event.action),
    source: literal(event.source),
    id: about === undefined ? idText(table, ROW) : columnText(table, about, ROW),
    order: about === undefined ? [] : [`${columnText(table, about, ROW)}, due.row_key`],
    columns: payloadList(event, table, sourceOf(table)),
    from: sourceOf(table).from,
    where: [...named, ...dueTerms(event, table)],
  };
}

/** Which of the rows mean the event: those that still have the moment, exist and meet the conditions. */
function dueTerms(event: Event, table: Table): readonly string[] {
  const { when = [], unless = [] } = event.emit ?? {};
  return [
    `${dueOf(event, table, ROW)} = due.due_at`,
    ...rowLives(table, ROW),
    ...(when.length === 0 ? [] : [holds(when, table, ROW)]),
    ...(unless.length === 0 ? [] : [`(${holds(unless, table, ROW)}) IS NOT TRUE`]),
  ];
}
