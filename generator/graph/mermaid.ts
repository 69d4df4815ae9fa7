import { plainLinesOf } from "./box-lines.js";
import type { ArrowKind, Box, Picture } from "./picture.js";

/** Without it, lines are broken at 200 pixels, in the midst of what they say. */
const WIDE_BOXES = '%%{init: {"flowchart": {"wrappingWidth": 400}}}%%';
const ARROWS: Readonly<Record<ArrowKind, string>> = { hooks: "-.->", copy: "-->", cascade: "==>" };

/** A flowchart of Mermaid, which code hosts draw, light or dark as their reader has it: dotted, plain and thick arrows. */
export function printMermaid(picture: Picture): string {
  const lines = [
    WIDE_BOXES,
    "flowchart LR",
    ...picture.boxes.map((box) => `  ${box.id}${shaped(box, picture)}`),
    ...picture.arrows.map(({ from, to, kind }) => `  ${from} ${ARROWS[kind]} ${to}`),
    "  classDef default text-align:left",
  ];
  return `${lines.join("\n")}\n`;
}

/** A stadium is a service that is written by hand elsewhere. */
function shaped(box: Box, picture: Picture): string {
  const [open, close] = box.external ? ["([", "])"] : ["[", "]"];
  const lines = [`<b>${escaped(box.title)}</b>`, ...plainLinesOf(box, picture).map(escaped)];
  return `${open}"${lines.join("<br>")}"${close}`;
}

/** In a quoted text `#34;` stands for a character by its number. */
function escaped(line: string): string {
  return line.replaceAll(/[^\w ,.:*-]/gu, (character) => `#${character.codePointAt(0)};`);
}
