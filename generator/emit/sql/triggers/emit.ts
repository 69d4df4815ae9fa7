import { kindOf } from "@meshwright/runtime/column-types";
import type { Event, Mesh, Table } from "../../../model/mesh.js";
import type { Render } from "../render.js";
import { dollarQuote, identifier, literal, objectName } from "../sql-names.js";
import { bodyView, payloadColumns } from "./body.js";
import { condition, mayFall, type Operation, rowSource } from "./condition.js";
import { namedView } from "./named.js";
import { columnText, commaSeparated, entityOf, separated, subjectExpression } from "./parts.js";
import { refusalViews } from "./refusals.js";
import { type Reactions, type Routine, type RoutineView, routineView, type Trigger } from "./routine.js";

const OPERATIONS: readonly Operation[] = ["insert", "update", "delete"];

/** The functions and triggers that write a table's events to the outbox; none for a table without events. */
export function emitReactions(mesh: Mesh, service: string, table: Table, render: Render): Reactions {
  const events = mesh.events.filter((event) => event.service === service && event.emit?.table === table.name);
  if (events.length === 0) return { routines: [], triggers: [] };
  const emissions = OPERATIONS.flatMap((operation) => {
    const fired = events.filter((event) => event.emit?.on.includes(operation));
    return fired.length === 0 ? [] : [{ mesh, table, operation, events: fired }];
  });
  return {
    routines: emissions.map((emission) => emitRoutine(emission, render)),
    triggers: [
      ...emissions.map((emission) => emitTrigger(emission, render)),
      keyTrigger(table, render),
      truncateTrigger(table, render),
    ],
  };
}

interface Emission {
  readonly mesh: Mesh;
  readonly table: Table;
  readonly operation: Operation;
  readonly events: readonly Event[];
}

function nameRoutine({ table, operation }: Emission): RoutineView {
  return routineView(objectName("emit", table.name, operation), table.name);
}

const MOMENTS: Readonly<Record<Operation, string>> = {
  insert: "for each row that comes",
  update: "for each row that changes",
  delete: "for each row that goes",
};

function emitRoutine(emission: Emission, render: Render): Routine {
  const { events, operation } = emission;
  const named = nameRoutine(emission);
  // One table may speak of several entities; each counts its own versions.
  const own = events.filter(({ emit }) => emit?.id === undefined);
  const entities = [...new Set(own.map(entityOf))];
  const refusals = events.flatMap((event) => refusalViews(event, emission));
  const emits = entities.map((entity) => {
    const ofEntity = own.filter((event) => entityOf(event) === entity);
    return render("emit_statement", statementView(entity, { ...emission, events: ofEntity }));
  });
  const told = events
    .filter(({ emit }) => emit?.id !== undefined)
    .map((event) => namedView(event, emission.table, operation));
  const statements = [
    ...refusals.map((view) => render("emit_refusal", view)),
    ...emits,
    ...told.map((view) => render("emit_named_statement", view)),
  ];
  return {
    name: named.name,
    table: emission.table.name,
    comment: `${listed(events.map((event) => event.name))} ${MOMENTS[operation]}.`,
    text: render("emit_function", {
      ...named,
      quote: dollarQuote(statements.join("\n")),
      statements,
      settings: events.some((event) => showsNumbers(event, emission.table)) ? [EXACT_NUMBERS] : [],
      overtaken: operation === "delete" ? [] : [overtakenView(emission)],
      fallen: mayFall(emission.table, operation)
        ? [{ key: insideFormat(identifier(emission.table.key)) }]
        : [],
    }),
  };
}

/** `gone`: whether a row that is no more is fine; where foreign keys may delete it beside an update, that is not told. */
function overtakenView({ table, operation }: Emission): { readonly key: string; readonly gone: boolean } {
  return { key: insideFormat(identifier(table.key)), gone: mayFall(table, operation) };
}

/** The writer's session may ask for fewer digits than a double has. */
const EXACT_NUMBERS = "extra_float_digits = 1";

function showsNumbers(event: Event, table: Table): boolean {
  return payloadColumns(event, table).some(({ type }) => kindOf(type) === "number");
}

/** As it has to be written inside a quoted template of format(). */
function insideFormat(text: string): string {
  return text.replaceAll("'", "''").replaceAll("%", "%%");
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

interface StatementView {
  readonly entity: string;
  /** The key as text, of a row called `changed`. */
  readonly key: string;
  /** Rows called `changed`. */
  readonly rows: string;
  /** The rows that mean an event, where not all do: none or one. */
  readonly changed: readonly ChangedView[];
  readonly filter: readonly string[];
  /** How many events a row means. */
  readonly count: string;
  /** The same, inside DO UPDATE. */
  readonly step: string;
  /** Where a life of the entity begins: none or one. */
  readonly birth: readonly BirthView[];
  readonly events: readonly EventView[];
}

/** The version of the first event of a row that begins a life. */
interface BirthView {
  /** Of an id that had none before; NULL where the row begins no life. */
  readonly first: string;
  /** The same, inside DO UPDATE. */
  readonly again: string;
}

interface ChangedView {
  readonly columns: string;
  /** Which events the row means, where there may be several. */
  readonly flags: readonly string[];
  readonly from: string;
  readonly where: readonly string[];
}

interface EventView {
  /** Column of `version` that holds this event's id. */
  readonly id: string;
  /** Id, entity and version of the event. */
  readonly columns: string;
  readonly subject: string;
  readonly body: { readonly template: string; readonly values: readonly string[] };
  readonly filter: readonly string[];
  readonly union: readonly string[];
}

function statementView(entity: string, emission: Emission): StatementView {
  const { table, operation, events } = emission;
  const conditions = events.map((event) => condition(event, table, operation));
  const several = events.length > 1;
  const always = !several && conditions[0] === undefined;
  const flags = several ? flagNames(events, table) : [];
  const counts = flags.map((flag) => `changed.${flag}::int`);
  return {
    entity: literal(entity),
    key: columnText(table, table.key, "changed"),
    rows: always ? `${operation === "delete" ? "old_rows" : "new_rows"} AS changed` : "changed",
    changed: always ? [] : [changedView(emission, conditions, flags)],
    filter: several ? [flags.map((flag) => `changed.${flag}`).join(" OR ")] : [],
    count: several ? counts.join(" + ") : "1",
    step: several ? "excluded.version - base_version" : "1",
    birth: birthView(emission, conditions, flags),
    events: events.map((event, index) => {
      const id = several ? `event_${index + 1}` : "event_id";
      // The row's last event takes its newest version, the ones before it those below.
      const version = ["version.version", ...counts.slice(index + 1)].join(" - ");
      const metadata = { eventId: `version.${id}`, entityId: "version.entity_id", version };
      return {
        id,
        columns: several
          ? `version.${id} AS event_id, version.entity_id, ${version} AS version`
          : "version.*",
        subject: subjectExpression(event, table),
        body: separated(bodyView(event, table, "changed", metadata)),
        filter: several ? [`changed.${flags[index]}`] : [],
        union: index < events.length - 1 ? ["UNION ALL"] : [],
      };
    }),
  };
}

/**
 * Only what tells of a creation begins a life, and only a row that comes: other tables may speak of the same
 * entity, and a snapshot that told a life which never began would have its cascades run.
 */
function birthView(
  { operation, events }: Emission,
  conditions: readonly (string | undefined)[],
  flags: readonly string[],
): readonly BirthView[] {
  const creations = events.flatMap(({ change }, index) => (change === "create" ? [index] : []));
  if (operation !== "insert" || creations.length === 0) return [];
  const [first, again] = ["base_version + 1", "greatest(known.version, base_version) + 1"];
  const always = flags.length === 0 || creations.some((index) => conditions[index] === undefined);
  if (always) return [{ first, again }];
  const created = creations.map((index) => `changed.${flags[index]}`).join(" OR ");
  return [
    {
      first: `CASE WHEN ${created} THEN ${first} END`,
      again: `CASE WHEN excluded.born IS NULL THEN known.born ELSE ${again} END`,
    },
  ];
}

function changedView(
  { table, operation, events }: Emission,
  conditions: readonly (string | undefined)[],
  flags: readonly string[],
): ChangedView {
  const { row, from } = rowSource(table, operation);
  const shown = events.flatMap((event) => payloadColumns(event, table)).map((column) => column.name);
  const columns = [...new Set([table.key, ...shown])].map((name) => `${row}.${identifier(name)}`);
  const flagged = flags.map(
    (flag, index) => `${flagValue(conditions[index], events[index], table)} AS ${flag}`,
  );
  const [only] = conditions;
  return {
    columns: columns.join(", ") + (flags.length > 0 ? "," : ""),
    flags: commaSeparated(flagged),
    from,
    where: flags.length > 0 || only === undefined ? [] : [only],
  };
}

/** Never NULL: flags are counted, and a column that holds none of its events' values may hold none at all. */
function flagValue(condition: string | undefined, event: Event | undefined, table: Table): string {
  const when = event?.emit?.when ?? [];
  const mayBeNull = when.some(({ column }) => table.columns.find(({ name }) => name === column)?.nullable);
  return mayBeNull ? `(${condition}) IS TRUE` : (condition ?? "true");
}

/** Names beside the table's own columns; underscores keep them apart where a column has the name already. */
function flagNames(events: readonly Event[], table: Table): readonly string[] {
  const taken = new Set(table.columns.map((column) => column.name));
  return events.map((event) => {
    let name = objectName("is", event.action);
    for (let more = "_"; taken.has(name); more += "_") name = objectName("is", event.action + more);
    taken.add(name);
    return identifier(name);
  });
}

const TRANSITIONS: Readonly<Record<Operation, string>> = {
  insert: "NEW TABLE AS new_rows",
  update: "OLD TABLE AS old_rows NEW TABLE AS new_rows",
  delete: "OLD TABLE AS old_rows",
};

function emitTrigger(emission: Emission, render: Render): Trigger {
  const { table, operation } = emission;
  const name = `emit_${operation}`;
  const view = {
    name,
    table: identifier(table.name),
    moment: `AFTER ${operation.toUpperCase()}`,
    transitions: TRANSITIONS[operation],
    routine: nameRoutine(emission).name,
  };
  return { name, table: table.name, columns: [], text: render("statement_trigger", view) };
}

function keyTrigger(table: Table, render: Render): Trigger {
  const view = { table: identifier(table.name), key: identifier(table.key) };
  return {
    name: "refuse_key_change",
    table: table.name,
    columns: [table.key],
    text: render("key_trigger", view),
  };
}

function truncateTrigger(table: Table, render: Render): Trigger {
  const view = { table: identifier(table.name) };
  return { name: "refuse_truncate", table: table.name, columns: [], text: render("truncate_trigger", view) };
}
