import { cellsOf } from "../report.js";
import type { Row } from "../row.js";
import type { Run } from "./describe-run.js";
import type { Explanations } from "./explanations.js";
import type { Measurement } from "./figures.js";

/* docs/performance.md, from figures and explanations alone. */

export type Explained = Measurement & { readonly explanations: Explanations };

export function performanceDocument(sections: readonly Explained[]): string {
  if (sections.length === 0)
    return `# Speed\n\nNothing was measured yet: \`npm run bench -- --full --write\` does, and writes this.\n`;
  const rows = sections.flatMap((section) => section.rows);
  const judged = rows.filter(({ met }) => met !== undefined);
  const met = judged.filter((row) => row.met);
  return `${[
    "# Speed",
    `\`npm run bench -- --full --write\` measured this and wrote it: the figures stand in [performance/figures.json](performance/figures.json), what
a person says of them in \`bench/explanations/\`. \`npm run bench\` measures all of it in small within two minutes, \`-- SECTION\` one section.`,
    `${met.length} of ${judged.length} goals are met. ${tellMissed(sections)}`,
    `Value and yardstick take turns on servers that the bench starts itself, with every commit flushed to disk, and what each has done is
counted after each round. A figure is the median of the rounds, with the lowest and the highest; a ratio is of the same round. Absolute figures tell of the
machine: the ratios are the claim.`,
    ...runsOf(sections),
    ...sections.flatMap(sectionText),
  ].join("\n\n")}\n`;
}

function tellMissed(sections: readonly Explained[]): string {
  const missed = sections.flatMap(({ name, rows }) =>
    rows.filter((row) => row.met === false).map(({ what }) => `[${what}](#${name})`),
  );
  return missed.length === 0 ? "" : `Missed, each explained in its section: ${missed.join("; ")}.`;
}

/** Sections that were measured together share a line. */
function runsOf(sections: readonly Explained[]): readonly string[] {
  const runs = new Map<string, string[]>();
  for (const { run, name } of sections) {
    const text = runText(run);
    runs.set(text, [...(runs.get(text) ?? []), name]);
  }
  if (runs.size === 1) return [...runs.keys()];
  return [[...runs].map(([text, names]) => `- ${names.join(", ")}: ${text}`).join("\n")];
}

function runText({ form, day, commit, machine, versions, load }: Run): string {
  const busy = load > 0.5 ? " **The machine was not quiet.**" : "";
  return `Measured on ${day}, ${form} form, commit ${commit}; ${machine}; ${versions}; load before it ${load}.${busy}`;
}

function sectionText({ name, about, rows, plots = [], explanations, seconds }: Explained): readonly string[] {
  return [
    `## ${name}`,
    `${about} (${Math.round(seconds)} s)`,
    [
      "| what | value | ratio | yardstick | goal |",
      "|---|---|---|---|---|",
      ...rows.map(cellsOf).map(({ what, value, ratio, yardstick, goal }) => {
        const said = goal.replace("MISSED", "**missed**");
        return `| ${[what, value, ratio, yardstick, said].map(escapeCell).join(" | ")} |`;
      }),
    ].join("\n"),
    ...plots.map(({ name: file, title }) => `![${title}](performance/${file}.svg)`),
    ...(explanations.section === "" ? [] : [explanations.section]),
    ...rows.flatMap((row) => explain(row, explanations)),
  ];
}

function explain(row: Row, { rows }: Explanations): readonly string[] {
  const text = rows.get(row.what);
  if (text !== undefined) return [`**${row.what}**: ${text}`];
  return row.met === false ? [`**${row.what}**: missed, and not explained yet.`] : [];
}

const escapeCell = (text: string): string => text.replaceAll("|", "\\|");

/** Explanations of rows that are gone. A smaller form has not all of them. */
export function strayExplanations(sections: readonly Explained[]): readonly string[] {
  return sections
    .filter(({ run }) => run.form === "full")
    .flatMap(({ name, rows, explanations }) =>
      [...explanations.rows.keys()]
        .filter((what) => !rows.some((row) => row.what === what))
        .map((what) => `bench/explanations/${name}.md explains "${what}", which is no row of ${name}`),
    );
}

/** README's sentence on speed. Undefined while the row was not measured. */
export function speedSentence(sections: readonly Measurement[]): string | undefined {
  const applied = sections
    .find(({ name }) => name === "consumer")
    ?.rows.find(({ what }) => what === "events applied");
  if (applied?.ratio === undefined) return undefined;
  return `One replica applies ${Math.floor(applied.ratio.median)} times as many events per second as one upsert and one ack per event do, in the same run (\`npm run bench -- consumer\`;
[docs/performance.md](docs/performance.md) has all figures, with the goals that are missed).`;
}
