import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readExplanations } from "./explanations.js";
import { readFigures } from "./figures.js";
import { performanceDocument, speedSentence, strayExplanations } from "./markdown.js";
import { plotSvg } from "./plot.js";

const ROOT = new URL("../../", import.meta.url);
const SENTENCE = /(<!-- from docs\/performance\/figures.json -->\n)[\s\S]*?(\n<!-- end -->)/;

/** Every file that follows from figures and explanations, by path from the root of the repository. */
export function performanceFiles(): ReadonlyMap<string, string> {
  const sections = readFigures().map((one) => ({ ...one, explanations: readExplanations(one.name) }));
  const [stray] = strayExplanations(sections);
  if (stray !== undefined) throw new Error(stray);
  const readme = readFileSync(new URL("README.md", ROOT), "utf8");
  const sentence = speedSentence(sections);
  return new Map([
    ["docs/performance.md", performanceDocument(sections)],
    ...sections.flatMap(({ rows, plots = [] }) =>
      plots.map((plot): [string, string] => [`docs/performance/${plot.name}.svg`, plotSvg(plot, rows)]),
    ),
    ...(sentence === undefined
      ? []
      : [["README.md", readme.replace(SENTENCE, (_, start, end) => `${start}${sentence}${end}`)] as const]),
  ]);
}

export const performancePath = (name: string): string => fileURLToPath(new URL(name, ROOT));
