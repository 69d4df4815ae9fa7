import { type Line, linesOf } from "../box-lines.js";
import type { Box, Picture } from "../picture.js";
import { textWidth } from "./text-width.js";

/** A box as it is drawn: its size, and where each line stands within it. In pixels. */
export interface Card {
  readonly box: Box;
  readonly width: number;
  readonly height: number;
  readonly lines: readonly PlacedLine[];
  /** Heights of the rules between its parts. */
  readonly rules: readonly number[];
}

export interface PlacedLine extends Line {
  /** Of the text's left edge, and of its base line. */
  readonly x: number;
  readonly y: number;
}

const TITLE_SIZE = 15;
const TEXT_SIZE = 13;
export const KIND_SIZE = 12;
export const PADDING = 14;
const TITLE_HEIGHT = 36;
const LINE_HEIGHT = 20;
/** Between what a service hears and what it owns. */
const PART_GAP = 9;
const INDENT = 18;
/** The mark of an effect, and what stands between it and its text. */
export const MARK = 16;
const LEAST_WIDTH = 120;

export function layCard(box: Box, picture: Picture): Card {
  const lines: PlacedLine[] = [];
  const rules: number[] = [];
  let y = TITLE_HEIGHT;
  let part: "hears" | "owns" | undefined;
  for (const line of linesOf(box, picture)) {
    const next = line.kind === "table" || line.kind === "entity" || line.kind === "note" ? "owns" : "hears";
    if (next !== part && !picture.brief) {
      rules.push(y + (part === undefined ? 0 : PART_GAP / 2));
      y += part === undefined ? PART_GAP / 2 : PART_GAP;
    }
    part = next;
    y += LINE_HEIGHT;
    lines.push({ ...line, x: PADDING + indent(line, picture), y: y - 6 });
  }
  const head =
    textWidth(box.title, { size: TITLE_SIZE, bold: true }) +
    (picture.brief ? 0 : 24 + textWidth(box.kind, { size: KIND_SIZE }));
  const widths = lines.map(
    ({ text, kind, x }) => x + textWidth(text, { size: TEXT_SIZE, bold: kind === "heard" }) - PADDING,
  );
  return {
    box,
    width: Math.max(LEAST_WIDTH, ...[head, ...widths].map((width) => width + 2 * PADDING)),
    height: y + (lines.length === 0 ? 0 : PADDING - 4),
    lines,
    rules,
  };
}

function indent({ kind }: Line, { brief }: Picture): number {
  if (brief) return 0;
  switch (kind) {
    case "heard":
      return MARK;
    case "copy":
    case "cascade":
      return 2 * MARK;
    case "table":
    case "note":
      return 0;
    case "entity":
      return INDENT;
    default:
      return kind satisfies never;
  }
}
