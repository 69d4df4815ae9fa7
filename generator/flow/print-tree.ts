import { oneLine } from "../quote/visible.js";
import type { Branch, Tree } from "./branch.js";
import { describe, describeRoot, endingOf } from "./describe.js";
import type { Flow } from "./flow.js";
import type { Part } from "./part.js";

/** Colour is the caller's choice; each function wraps a piece of text. */
export interface TreePaint {
  readonly name: (text: string) => string;
  readonly lines: (text: string) => string;
  readonly place: (text: string) => string;
  readonly ending: (text: string) => string;
}

const plain = (text: string): string => text;

export const noTreePaint: TreePaint = { name: plain, lines: plain, place: plain, ending: plain };

export interface TreePrinting {
  readonly flow: Flow;
  /** `mesh.yaml:12`; undefined: nobody wrote it. */
  readonly placeOf: (part: Part) => string | undefined;
  readonly paint: TreePaint;
  /** Of the terminal; undefined: it goes elsewhere. */
  readonly columns?: number | undefined;
}

interface Line {
  readonly lines: string;
  readonly name: string;
  readonly says: string;
  readonly ending: string;
  readonly place: string | undefined;
}

/** Places stand in one column, as far as the lines are no longer than this, and leave them room in the terminal. */
const WIDEST = 100;

/** A line for each branch, with the place where it is declared. Without a line break at the end. */
export function printTree(tree: Tree, printing: TreePrinting): string {
  const { flow, placeOf, paint } = printing;
  const root = describeRoot(flow, tree);
  const lines: Line[] = [
    { ...root, lines: "", ending: "", place: placeOf(tree.of) },
    ...tree.from.map((link) => ({
      ...describe(flow, link),
      lines: "← ",
      ending: "",
      place: placeOf(link.to),
    })),
    ...tree.next.flatMap((branch, at) =>
      branchLines(branch, { printing, indent: "", isLast: at === tree.next.length - 1 }),
    ),
  ];
  const widths = lines.map(widthOf);
  const places = lines.map(({ place = "" }) => place.length);
  const widest = Math.min(WIDEST, (printing.columns ?? Infinity) - Math.max(...places) - 2);
  const edge = Math.max(...widths.filter((width) => width <= widest), 0);
  return lines
    .map((line, at) => {
      const { name, says, ending } = line;
      const words = [
        paint.name(oneLine(name)),
        ...(says === "" ? [] : [oneLine(says)]),
        ...(ending === "" ? [] : [paint.ending(ending)]),
      ].join("  ");
      const space = " ".repeat(Math.max(0, edge - (widths[at] ?? 0)) + 2);
      const place = line.place === undefined ? "" : `${space}${paint.place(line.place)}`;
      return `${paint.lines(line.lines)}${words}${place}`;
    })
    .join("\n");
}

function widthOf({ lines, name, says, ending }: Line): number {
  return (
    lines.length +
    [name, says, ending]
      .filter((text) => text !== "")
      .map(oneLine)
      .join("  ").length
  );
}

interface Standing {
  readonly printing: TreePrinting;
  readonly indent: string;
  readonly isLast: boolean;
}

function branchLines(branch: Branch, { printing, indent, isLast }: Standing): readonly Line[] {
  const { flow, placeOf } = printing;
  const line: Line = {
    ...describe(flow, branch),
    lines: `${indent}${isLast ? "└─ " : "├─ "}`,
    ending: endingOf(branch),
    place: placeOf(branch.to),
  };
  const below = `${indent}${isLast ? "   " : "│  "}`;
  return [
    line,
    ...branch.next.flatMap((next, at) =>
      branchLines(next, { printing, indent: below, isLast: at === branch.next.length - 1 }),
    ),
  ];
}
