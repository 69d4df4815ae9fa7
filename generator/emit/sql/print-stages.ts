import type { Block } from "../../migrations/migration-text.js";
import { identifier, objectName } from "../../migrations/sql-names.js";
import type { Step } from "../../migrations/steps.js";
import { onColumn, printStep } from "./print-step.js";
import type { Render } from "./sql-render.js";

/*
 * A migration runs beside traffic. What holds a lock that traffic waits for is short and does not look at rows; what
 * looks at rows holds no such lock, and commits by itself. So one step may be several statements, in several stages.
 */

const STAGES = ["shape", "fill", "demand", "build", "hold", "prove"] as const;

type StageName = (typeof STAGES)[number];

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
export function printStages(steps: readonly Step[], render: Render): readonly Stage[] {
  const all = steps.flatMap((step) =>
    stagesOf(step, render).map(([stage, block]) => ({ stage, kind: step.kind, block })),
  );
  return STAGES.flatMap((name) => {
    const printed = all.filter(({ stage }) => stage === name);
    return printed.length === 0 ? [] : [{ transaction: TRANSACTION[name], printed }];
  });
}

function stagesOf(step: Step, render: Render): readonly (readonly [StageName, Block])[] {
  const silent = (template: string, view: object): Block => ({ comment: [], text: render(template, view) });
  switch (step.kind) {
    case "fill_nulls": {
      let tag = "fill";
      while (step.value.includes(`$${tag}$`)) tag += "_";
      const view = { ...onColumn(step), value: step.value, tag };
      const fill = { ...printStep(step, render), text: render("fill_nulls_in_batches", view) };
      const again = { comment: ["Those that came meanwhile."], text: fill.text };
      return [
        ["fill", fill],
        ["build", again],
      ];
    }
    case "set_not_null": {
      // NOT NULL looks at every row under its lock, unless a CHECK has proven it.
      const name = identifier(objectName(step.table, step.column, "not_null"));
      const { table, column } = onColumn(step);
      const condition = `${column} IS NOT NULL`;
      return [
        ["demand", silent("add_check", { table, name, condition })],
        ["build", silent("validate_check", { table, name })],
        ["hold", printStep(step, render)],
        ["hold", silent("drop_constraint", { table, name })],
      ];
    }
    case "add_unique": {
      const view = {
        table: identifier(step.table),
        name: identifier(step.constraint.name),
        columns: step.constraint.columns.map(identifier).join(", "),
      };
      return [
        ["build", silent("build_unique", view)],
        ["hold", silent("add_unique_from_index", view)],
      ];
    }
    case "create_index": {
      const { comment } = printStep(step, render);
      const { name, columns } = step.index;
      const view = {
        name: identifier(name),
        table: identifier(step.table),
        columns: columns.map(identifier).join(", "),
      };
      return [["build", { comment, text: render("build_index", view) }]];
    }
    case "validate_check":
      return [["build", printStep(step, render)]];
    case "add_foreign_key": {
      const block = printStep(step, render);
      const view = { table: identifier(step.table), name: identifier(step.constraint.name) };
      return [
        ["hold", { ...block, text: block.text.replace(/;$/, " NOT VALID;") }],
        ["prove", silent("validate_check", view)],
      ];
    }
    case "add_key":
      return [["hold", printStep(step, render)]];
    default:
      return [["shape", printStep(step, render)]];
  }
}
