import { type Draw, pick } from "../../support/draw.js";
import { bases } from "./bases.js";

/** One word for another wherever it stands: the references to a thing go with it. */
export function renameThroughout(text: string, draw: Draw): string {
  const words = text.match(/[a-z_]{3,}/gi) ?? [];
  if (words.length === 0) return text;
  const to = draw(3) === 0 ? pick(words, draw) : `${pick(words, draw)}_${draw(9)}`;
  return text.replaceAll(new RegExp(`\\b${pick(words, draw)}\\b`, "g"), to);
}

const INSERTED = ["\t", ":", "- ", "&a ", "*a ", "{", "}", "[", "]", '"', "'", "#", " #", "\u0000", "\ufeff"];
const MARKS = [
  ...INSERTED,
  "|",
  ">",
  "!!binary ",
  "!x ",
  "<<: ",
  "\r",
  "? ",
  "---",
  "...",
  "%",
  "@",
  "`",
  "\\",
  ",",
];

type LineEdit = (lines: readonly string[], draw: Draw) => string[];

/** A line, with one that is changed in its stead. */
function editLine(change: (line: string, draw: Draw) => string): LineEdit {
  return (lines, draw) => {
    const at = draw(lines.length);
    return lines.with(at, change(lines[at] ?? "", draw));
  };
}

/** Edits of the text, as an editor, a merge or a slip makes them. */
export const LINE_EDITS: readonly LineEdit[] = [
  (lines, draw) => lines.toSpliced(draw(lines.length), 1 + draw(draw(4) === 0 ? 9 : 1)),
  (lines, draw) => {
    const at = draw(lines.length);
    return lines.toSpliced(draw(lines.length), 0, ...lines.slice(at, at + 1 + draw(6)));
  },
  (lines, draw) => {
    const [one, other] = [draw(lines.length), draw(lines.length)];
    return lines.with(one, lines[other] ?? "").with(other, lines[one] ?? "");
  },
  (lines, draw) => {
    const from = pick(bases, draw).text.split("\n");
    const at = draw(from.length);
    return lines.toSpliced(draw(lines.length), draw(2), ...from.slice(at, at + 1 + draw(8)));
  },
  (lines, draw) => renameThroughout(lines.join("\n"), draw).split("\n"),
  (lines, draw) => {
    const text = lines.join("\n");
    const words = text.match(/[\w.*{}?-]+/g) ?? [""];
    const from = pick(words, draw);
    const at = Math.max(0, text.indexOf(from, draw(text.length + 1)));
    return `${text.slice(0, at)}${pick(words, draw)}${text.slice(at + from.length)}`.split("\n");
  },
  (lines, draw) => (draw(8) === 0 ? lines.slice(0, draw(lines.length) + 1) : [...lines]),
  editLine((line, draw) => (draw(2) === 0 ? `  ${line}` : line.replace(/^ {1,2}/, ""))),
  editLine((line, draw) => {
    const at = draw(line.length + 1);
    return line.slice(0, at) + line.slice(at + 1);
  }),
  editLine((line, draw) => {
    const at = draw(line.length + 1);
    return line.slice(0, at) + pick(MARKS, draw) + line.slice(at);
  }),
];
