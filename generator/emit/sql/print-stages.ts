import type { Block } from "../../migrations/migration-text.js";
import { identifier, identifiers, objectName } from "../../migrations/sql-names.js";
import type { Step } from "../../migrations/steps.js";
import { onColumn, printStep } from "./print-step.js";
import type { Printing } from "./sql-render.js";

/*
 * A migration runs beside traffic. A statement that takes a lock which traffic waits for is short and reads no rows; a
 * statement that reads rows takes no such lock, and commits by itself. So one step may be several statements, in several
 * stages.
 */

export const STAGES = ["shape", "fill", "demand", "build", "hold", "prove"] as const;

export type StageName = (typeof STAGES)[number];

/** Which are one transaction; the statements of the others commit one by one, and may each run again. */
const TRANSACTION: Readonly<Record<StageName, boolean>> = {
  shape: true,
  fill: false,
  demand: true,
  build: false,
  hold: true,
  prove: false,
};

export interface Printed {
  readonly kind: Step["kind"];
  readonly block: Block;
}

export interface Stage {
  readonly transaction: boolean;
  readonly printed: readonly Printed[];
}

/** Stages without statements are left out. */
export function printStages(steps: readonly Step[], printing: Printing): readonly Stage[] {
  const all = steps.flatMap((step) =>
    stagesOf(step, printing).map(([stage, block]) => ({ stage, kind: step.kind, block })),
  );
  return STAGES.flatMap((name) => {
    const printed = all.filter(({ stage }) => stage === name);
    return printed.length === 0 ? [] : [{ transaction: TRANSACTION[name], printed }];
  });
}

/** The statements of a step, each with its stage. */
export function stagesOf(step: Step, printing: Printing): readonly (readonly [StageName, Block])[] {
  const silent = (template: string, view: object): Block => ({
    comment: [],
    text: printing.render(template, view),
  });
  switch (step.kind) {
    case "fill_nulls": {
      let tag = "fill";
      while (step.value.includes(`$${tag}$`)) tag += "_";
      const view = { ...onColumn(step, printing), value: step.value, tag };
      const fill = { ...printStep(step, printing), text: printing.render("fill_nulls_in_batches", view) };
      const again = { comment: ["Those that came meanwhile."], text: fill.text };
      return [
        ["fill", fill],
        ["build", again],
      ];
    }
    case "set_not_null": {
      // SET NOT NULL reads every row under its lock, unless a valid CHECK implies it.
      const name = identifier(objectName(step.table, step.column, "not_null"));
      const { table, column } = onColumn(step, printing);
      const condition = `${column} IS NOT NULL`;
      return [
        ["demand", silent("add_check", { table, name, condition, reasons: [] })],
        ["build", silent("validate_check", { table, name })],
        ["hold", printStep(step, printing)],
        ["hold", silent("drop_constraint", { table, name })],
      ];
    }
    case "add_unique": {
      const view = {
        table: printing.relation(step.table),
        name: identifier(step.constraint.name),
        built: printing.index(step.table, step.constraint.name),
        columns: identifiers(step.constraint.columns),
      };
      return [
        ["build", silent("build_unique", view)],
        ["hold", silent("add_unique_from_index", view)],
      ];
    }
    case "create_index": {
      const { comment } = printStep(step, printing);
      const { name, columns } = step.index;
      const view = {
        name: identifier(name),
        built: printing.index(step.table, name),
        table: printing.relation(step.table),
        columns: identifiers(columns),
      };
      return [["build", { comment, text: printing.render("build_index", view) }]];
    }
    case "validate_check":
      return [["build", printStep(step, printing)]];
    case "add_foreign_key": {
      const block = printStep(step, printing);
      const view = { table: printing.relation(step.table), name: identifier(step.constraint.name) };
      return [
        ["hold", { ...block, text: block.text.replace(/;$/, " NOT VALID;") }],
        ["prove", silent("validate_check", view)],
      ];
    }
    case "create_trigger":
      // On a table with rows, events begin once the CHECKs have shown that messages can carry each row.
      return [[step.trigger.existing === true ? "hold" : "shape", printStep(step, printing)]];
    case "adopt_rows":
    case "schedule_rows":
      return [["prove", printStep(step, printing)]];
    case "add_key":
      // Since the first look the table was open: its former key goes in a transaction of its own.
      return [
        ["hold", printStep({ kind: "await_cascades", table: step.table, reason: "key" }, printing)],
        ["hold", printStep(step, printing)],
      ];
    default:
      return [["shape", printStep(step, printing)]];
  }
}
