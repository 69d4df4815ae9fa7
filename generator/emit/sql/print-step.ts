import { castBetween } from "../../migrations/casts.js";
import type {
  CheckSchema,
  ColumnSchema,
  ForeignKeySchema,
  IndexSchema,
  TableSchema,
  TimedSchema,
} from "../../migrations/database-schema.js";
import type { Block } from "../../migrations/migration-text.js";
import { identifier, identifiers, objectName } from "../../migrations/sql-names.js";
import { IDENTITY } from "../../migrations/sql-types.js";
import type { Step } from "../../migrations/steps.js";
import { commentLines, dollarQuote, literal } from "../../quote/sql.js";
import { adoptionView } from "./adoption-view.js";
import type { Printing } from "./sql-render.js";

export function printStep(step: Step, printing: Printing): Block {
  const print = (view: object, ...comment: readonly string[]): Block => ({
    comment,
    text: printing.render(step.kind, view),
  });
  switch (step.kind) {
    case "create_table":
      return printTable(step.table, step.inline, printing);
    case "create_function":
      return { comment: [step.definition.comment], text: step.definition.text };
    case "create_trigger":
      return print({
        call: step.trigger.call,
        arguments: step.trigger.arguments,
        table: printing.relation(step.trigger.table),
        name: identifier(step.trigger.name),
        reasons: [step.trigger.reason ?? []].flat().map(literal),
      });
    case "create_index":
      return printIndex(step.table, step.index, printing);
    case "drop_function":
      return print({ name: step.name });
    case "drop_index":
      return print({ name: ifExists(step) + printing.index(step.table, step.name) });
    case "create_schema":
      return print({ schema: identifier(step.schema) });
    case "note_place":
    case "forget_place":
      return print(placeView(step.table));
    case "adopt_rows":
      return print(
        adoptionView(step, printing),
        `${step.table.name}: rows that were there before get their first version, and no event tells of them.`,
      );
    case "await_cascades": {
      const table = literal(step.table);
      const what = AWAITING[step.reason];
      return print({ relation: printing.relation(step.table), table, what, quote: dollarQuote(table) });
    }
    case "revive_rows":
      return print(
        { ...step.deletion, entity: literal(step.deletion.entity), table: printing.relation(step.table) },
        `${step.table}: rows in which ${step.deletion.column} is set are there again, as new ones; copies take them from their next snapshot. Writers wait meanwhile.`,
      );
    case "schedule_rows":
      return print(
        timedView(step, printing),
        `${step.table}: ${step.timed.event} is told of rows that were there before, where its moment is to come.`,
      );
    case "restore_moments":
      return print(timedView(step, printing));
    case "set_moments_aside":
      return print(
        {
          ...step,
          table: printing.relation(step.table),
          event: literal(step.event),
          aside: literal(setAside(step.event)),
        },
        `${step.table}: moments that wait follow their rows, whose keys or moments change.`,
      );
    case "forget_moments":
      return print({ event: literal(step.event) });
    case "reroute_moments":
      return print({ event: literal(step.event), routine: literal(step.routine) });
    case "drop_trigger":
      return print({
        table: printing.relation(step.table),
        tableText: literal(printing.relation(step.table)),
        name: ifExists(step) + identifier(step.name),
        nameText: literal(step.name),
      });
    case "drop_constraint":
      return print({ table: printing.relation(step.table), name: ifExists(step) + identifier(step.name) });
    case "drop_foreign_key":
      return print({ table: printing.relation(step.table), name: identifier(step.name) });
    case "drop_table":
      return print({ table: printing.relation(step.table) }, `${step.table} goes, with its rows.`);
    case "drop_column":
      return print(onColumn(step, printing), `${step.table}.${step.column} goes, with its values.`);
    case "rename_table":
      return print(
        {
          from: printing.relation(step.from),
          to: identifier(step.to),
          fromText: literal(step.from),
          toText: literal(step.to),
        },
        `${step.from} is called ${step.to} from now on; its rows stay.`,
      );
    case "rename_column":
      return print(
        { ...renaming(step), table: printing.relation(step.table) },
        `${step.table}.${step.from} is called ${step.to} from now on; its values stay.`,
      );
    case "rename_constraint":
      return print({ ...renaming(step), table: printing.relation(step.table) });
    case "rename_index":
      return print({ ...renaming(step), from: printing.index(step.table, step.from) });
    case "add_column":
      return print({ table: printing.relation(step.table), definition: columnDefinition(step.column) });
    case "change_type":
      return print(
        {
          ...onColumn(step, printing),
          type: step.to,
          using: castBetween(step.from, step.to).using(identifier(step.column)),
        },
        `${step.table}.${step.column}: ${step.from} becomes ${step.to}. All rows are written anew, and the table is closed meanwhile.`,
      );
    case "set_default":
      return print({ ...onColumn(step, printing), value: step.value });
    case "fill_nulls":
      return print(
        { ...onColumn(step, printing), value: step.value },
        "Rows without a value get the default, and write their events.",
      );
    case "add_identity":
      return print({
        ...onColumn(step, printing),
        sequence: `pg_get_serial_sequence(${literal(printing.relation(step.table))}, ${literal(step.column)})`,
      });
    case "drop_default":
    case "drop_identity":
    case "drop_not_null":
    case "set_not_null":
      return print(onColumn(step, printing));
    case "add_key":
    case "add_unique":
      return print({
        table: printing.relation(step.table),
        name: identifier(step.constraint.name),
        columns: identifiers(step.constraint.columns),
      });
    case "add_check":
      return print({
        table: printing.relation(step.table),
        name: identifier(step.constraint.name),
        condition: checkCondition(step.constraint),
        reasons: reasonsOf(step.constraint),
      });
    case "validate_check":
      return print({ table: printing.relation(step.table), name: identifier(step.constraint.name) });
    case "add_foreign_key":
      return print({
        table: printing.relation(step.table),
        name: identifier(step.constraint.name),
        columns: identifiers(step.constraint.columns),
        references: reference(step.constraint, printing),
      });
    default:
      return step satisfies never;
  }
}

function ifExists({ existing }: { readonly existing?: true | undefined }): string {
  return existing === true ? "IF EXISTS " : "";
}

const AWAITING = { key: "changes their key", end: "takes their table away" } as const;

/** The name under which moments of the event are set aside within a migration; no event has it. */
function setAside(event: string): string {
  return `~${event}`;
}

function timedView({ table, timed }: { table: string; timed: TimedSchema }, printing: Printing) {
  return {
    ...timed,
    event: literal(timed.event),
    aside: literal(setAside(timed.event)),
    routine: literal(timed.routine),
    table: printing.relation(table),
    living: timed.living === undefined ? [] : [timed.living],
  };
}

export function onColumn(step: { readonly table: string; readonly column: string }, printing: Printing) {
  return { table: printing.relation(step.table), column: identifier(step.column) };
}

function placeView({ name, at, existing }: TableSchema) {
  return {
    schema: literal(at?.schema ?? ""),
    table: literal(at?.table ?? name),
    existing: existing === true ? "true" : "false",
  };
}

function renaming(step: { readonly from: string; readonly to: string }) {
  return { from: identifier(step.from), to: identifier(step.to) };
}

/** Constraints stand with their column where there is one, as in the documented table. */
function printTable(table: TableSchema, inline: readonly ForeignKeySchema[], printing: Printing): Block {
  const own = <T extends { readonly columns: readonly string[] }>(items: readonly T[], column: string) =>
    items.filter((item) => item.columns.length === 1 && item.columns[0] === column);
  const columns = table.columns.map((column) =>
    [
      // A primary key is NOT NULL by itself.
      columnDefinition({ ...column, nullable: column.nullable || table.key.columns.includes(column.name) }),
      ...own([table.key], column.name).map(
        ({ name }) => `${nameUnless(name, [table.name], "pkey")}PRIMARY KEY`,
      ),
      ...own(table.uniques, column.name).map(
        ({ name }) => `${nameUnless(name, [table.name, column.name], "key")}UNIQUE`,
      ),
      ...own(table.checks, column.name).map(
        (check) =>
          `${nameUnless(check.name, [table.name, column.name], "check")}CHECK (${checkCondition(check)})`,
      ),
      ...own(inline, column.name).map(
        (key) =>
          `${nameUnless(key.name, [table.name, column.name], "fkey")}REFERENCES ${reference(key, printing)}`,
      ),
    ].join(" "),
  );
  const key = table.key.columns.length > 1 ? [table.key] : [];
  const keys = key.map(
    ({ name, columns: names }) =>
      `${nameUnless(name, [table.name], "pkey")}PRIMARY KEY (${identifiers(names)})`,
  );
  const sets = table.uniques
    .filter((unique) => unique.columns.length > 1)
    .map(
      (unique) =>
        `${nameUnless(unique.name, [table.name, ...unique.columns], "key")}UNIQUE (${identifiers(unique.columns)})`,
    );
  const checks = table.checks
    .filter((check) => check.columns.length > 1)
    .map((check) => `CONSTRAINT ${identifier(check.name)} CHECK (${checkCondition(check)})`);
  const lines = [...columns, ...keys, ...sets, ...checks];
  const create = printing.render("create_table", {
    table: printing.relation(table.name),
    lines: lines.map((line, index) => (index < lines.length - 1 ? `${line},` : line)),
  });
  const comments = table.checks.flatMap((check) =>
    reasonsOf(check).map((reason) =>
      printing.render("comment_check", {
        table: printing.relation(table.name),
        name: identifier(check.name),
        reason,
      }),
    ),
  );
  const indexes = table.indexes.map((index) => withComment(printIndex(table.name, index, printing)));
  return {
    comment: table.description === undefined ? [] : sentences(table.name, table.description),
    text: [create, ...comments, ...indexes].join("\n"),
  };
}

function sentences(name: string, description: string): readonly string[] {
  return commentLines(`${name}: ${description.trim()}`);
}

function withComment({ comment, text }: Block): string {
  return [...comment.map((line) => `-- ${line}`), text].join("\n");
}

function printIndex(table: string, index: IndexSchema, printing: Printing): Block {
  const view = {
    name: identifier(index.name),
    table: printing.relation(table),
    columns: identifiers(index.columns),
  };
  return {
    comment: index.reason === undefined ? [] : [`Implied: ${index.reason}.`],
    text: printing.render("create_index", view),
  };
}

/** PostgreSQL gives an unnamed constraint the same name, unless it would have to cut it. */
function nameUnless(name: string, parts: readonly string[], kind: string): string {
  const unnamed = [...parts, kind].join("_");
  return name === unnamed && name === objectName(...parts, kind) ? "" : `CONSTRAINT ${identifier(name)} `;
}

function columnDefinition(column: ColumnSchema): string {
  const required = column.nullable ? [] : ["NOT NULL"];
  const byDefault = column.default === undefined ? [] : [defaultClause(column.default)];
  return [identifier(column.name), column.type, ...required, ...byDefault].join(" ");
}

function defaultClause(value: string): string {
  return value === IDENTITY ? value : `DEFAULT ${value}`;
}

function checkCondition(check: CheckSchema): string {
  return check.condition(identifiers(check.columns));
}

function reasonsOf({ reason }: CheckSchema): readonly string[] {
  return reason === undefined ? [] : [literal(reason)];
}

function reference(key: ForeignKeySchema, printing: Printing): string {
  return `${printing.relation(key.table)} (${identifier(key.target)}) ON DELETE ${key.onDelete}`;
}
