import { plainLinesOf } from "./box-lines.js";
import type { ArrowKind, Box, Picture } from "./picture.js";

const STYLES: Readonly<Record<ArrowKind, string>> = { hooks: "dashed", copy: "solid", cascade: "bold" };

/** For Graphviz and what reads its language. */
export function printDot(picture: Picture): string {
  const lines = [
    `digraph ${quoted(picture.title)} {`,
    '  graph [rankdir=LR, fontname="Helvetica,Arial,sans-serif"];',
    '  node [shape=box, style=rounded, fontname="Helvetica,Arial,sans-serif"];',
    ...picture.boxes.map(
      (box) =>
        `  ${box.id} [label=${labelled(box, picture)}${box.external ? ', style="rounded,dashed"' : ""}];`,
    ),
    ...picture.arrows.map(
      ({ from, to, kind, patterns }) =>
        `  ${from} -> ${to} [style=${STYLES[kind]}, tooltip=${quoted(patterns.join(", "))}];`,
    ),
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

/** Each line ends with `\l`, which sets it to the left; the title stands in the middle. */
function labelled(box: Box, picture: Picture): string {
  const lines = plainLinesOf(box, picture).map((text) => `${escaped(text)}\\l`);
  return `"${escaped(box.title)}${lines.length === 0 ? "" : `\\n${lines.join("")}`}"`;
}

function quoted(text: string): string {
  return `"${escaped(text)}"`;
}

/** Graphviz reads escapes and entities in texts: a backslash and an ampersand of a name stand for themselves. */
function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("&", "&amp;")
    .replaceAll("\n", "\\n");
}
