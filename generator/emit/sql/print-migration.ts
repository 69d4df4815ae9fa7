import type { Block, MigrationText } from "../../migrations/migration-text.js";
import type { Step } from "../../migrations/steps.js";
import { type Printed, printStages } from "./print-stages.js";
import { printStep } from "./print-step.js";
import { openPrinting, type Printing, type Render } from "./sql-render.js";

const ABOUT_MODEL = "-- What the database is from here on: the next migration is made from it.";

const BESIDE_TRAFFIC: readonly string[] = [
  "From here on each statement commits by itself, and works while others read and write. After a cut it is done again.",
  "transaction: none",
];
const AT_ONCE: readonly string[] = [
  "From here on all together, without a look at the rows.",
  "transaction: one",
];

export function printMigration(
  { title, head, sections, places, model, fresh }: MigrationText,
  render: Render,
): string {
  const printing = openPrinting(render, places);
  const blocks = sections.flatMap(({ after, byHand, steps }) => [
    ...(after === undefined ? [] : [{ comment: [], text: `-- after: ${after}` }]),
    ...byHand,
    ...(fresh
      ? joinParagraphs(printWhole(joinTriggers(steps), printing))
      : printStaged(joinTriggers(steps), byHand.length > 0, printing)),
  ]);
  const lines = model.length === 0 ? [] : ["", ABOUT_MODEL, ...model];
  return `${render("migration", { title, head, blocks, model: lines })}\n`;
}

function printWhole(steps: readonly Step[], printing: Printing): readonly Printed[] {
  return steps.map((step) => ({ kind: step.kind, block: printStep(step, printing) }));
}

/** A file, and a section of it, begins as one transaction; what a person wrote before may have ended that. */
function printStaged(steps: readonly Step[], behindOther: boolean, printing: Printing): readonly Block[] {
  return printStages(steps, printing).flatMap(({ transaction, printed }, index) => [
    ...(index === 0 && transaction && !behindOther ? [] : [boundary(transaction ? AT_ONCE : BESIDE_TRAFFIC)]),
    ...joinParagraphs(printed),
  ]);
}

function boundary(lines: readonly string[]): Block {
  return { comment: lines.slice(0, -1), text: `-- ${lines.at(-1)}` };
}

/** Triggers of one call are made by one statement. */
function joinTriggers(steps: readonly Step[]): readonly Step[] {
  const joined: Step[] = [];
  for (const step of steps) {
    const last = joined.at(-1);
    if (
      step.kind === "create_trigger" &&
      last?.kind === step.kind &&
      last.trigger.call === step.trigger.call
    ) {
      const { trigger } = last;
      joined[joined.length - 1] = {
        ...last,
        trigger: { ...trigger, arguments: `${trigger.arguments}, ${step.trigger.arguments}` },
      };
    } else joined.push(step);
  }
  return joined;
}

/** Statements without a comment of their own join the paragraph before, so that a table's function and triggers read as one. */
function joinParagraphs(printed: readonly Printed[]): readonly Block[] {
  const blocks: Block[] = [];
  let last: Step["kind"] | undefined;
  for (const { kind, block } of printed) {
    const previous = blocks.at(-1);
    if (previous !== undefined && block.comment.length === 0 && joins(kind, last)) {
      blocks[blocks.length - 1] = { ...previous, text: `${previous.text}\n${block.text}` };
    } else {
      blocks.push(block);
    }
    last = kind;
  }
  return blocks;
}

function joins(kind: Step["kind"], last: Step["kind"] | undefined): boolean {
  if (kind === "create_trigger" && last === "create_function") return true;
  return kind === last && kind !== "create_table" && kind !== "create_function";
}
