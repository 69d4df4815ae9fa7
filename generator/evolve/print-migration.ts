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

export interface MigrationText {
  readonly title: string;
  /** What it says of itself to the runtime, a line each. */
  readonly head: readonly string[];
  readonly sections: readonly Section[];
  /** For the next run. */
  readonly model: readonly string[];
}

/** The SQL of a file, or of those of its databases that are on one branch. */
export interface Section {
  /** The branch's last file; undefined where there is no other. */
  readonly after: string | undefined;
  /** SQL of people, who wrote it on other branches. */
  readonly byHand: readonly Block[];
  readonly steps: readonly Step[];
}

const ABOUT_MODEL = "-- What the database is from here on: the next migration is made from it.";

export function printMigration({ title, head, sections, model }: MigrationText, render: Render): string {
  const blocks = sections.flatMap((section) => [
    ...(section.after === undefined ? [] : [{ comment: [], text: `-- after: ${section.after}` }]),
    ...section.byHand,
    ...printSteps(section.steps, render),
  ]);
  const lines = model.length === 0 ? [] : ["", ABOUT_MODEL, ...model];
  return `${render("migration", { title, head, blocks, model: lines })}\n`;
}

/** Statements without a comment of their own join the paragraph before, so that a table's triggers read as one. */
function printSteps(steps: readonly Step[], render: Render): readonly Block[] {
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
  return blocks;
}

function joins(step: Step): boolean {
  return step.kind !== "create_table" && step.kind !== "create_function";
}
