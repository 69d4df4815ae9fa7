import { type Block, printStep } from "./print-step.js";
import type { Render } from "./render.js";
import type { Step } from "./steps.js";

/** Told once per file, where functions follow that need it. */
const ABOUT_FUNCTIONS: Block = {
  comment: [
    "Rows and their events commit together. Each function below writes the events of one statement with one",
    "statement: versions first (their counters stay locked until commit, which orders the events of an entity),",
    "then the outbox. Its plan is cached and serves one row as well as thousands: hence no nested loops, which",
  ],
  text: "-- would take rows times rows, and no compilation. OFFSET 0 is a fence: each body is computed once.",
};

/** Statements without a comment of their own join the paragraph before, so that a table's triggers read as one. */
export function printMigration(title: string, steps: readonly Step[], render: Render): string {
  const blocks: Block[] = [];
  let last: Step["kind"] | undefined;
  for (const step of steps) {
    const block = printStep(step, render);
    const previous = blocks.at(-1);
    const first = step.kind === "create_function" && steps.find(({ kind }) => kind === step.kind) === step;
    if (first) {
      blocks.push(ABOUT_FUNCTIONS, block);
    } else if (previous !== undefined && block.comment.length === 0 && last === step.kind && joins(step)) {
      blocks[blocks.length - 1] = { ...previous, text: `${previous.text}\n${block.text}` };
    } else {
      blocks.push(block);
    }
    last = step.kind;
  }
  return `${render("migration", { title, blocks })}\n`;
}

function joins(step: Step): boolean {
  return step.kind !== "create_table" && step.kind !== "create_function";
}
