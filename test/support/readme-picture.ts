import { expect } from "vitest";

/** Texts of a box: words and a few signs, every other character by its number. */
const TEXT = String.raw`(?:[\w ,.:*-]|#\d+;|<br>)*`;
const LINES = [
  String.raw`%%\{init: [\w{":, ]+\}{3}%%`,
  "flowchart LR",
  String.raw` {2}service\d+(?:\["<b>${TEXT}</b>${TEXT}"\]|\(\["<b>${TEXT}</b>${TEXT}"\]\))`,
  String.raw` {2}service\d+ (?:-->|==>|-\.->) service\d+`,
  " {2}classDef default text-align:left",
];
const LINE = new RegExp(`^(?:${LINES.join("|")})$`);

/** What is no box or arrow of a Mermaid flowchart; it should be nothing. */
export function strangeLines(flowchart: string): readonly string[] {
  return flowchart
    .trimEnd()
    .split("\n")
    .filter((line) => !LINE.test(line));
}

/** A generated README.md without its picture, of which every line is held to be a box or an arrow, and nothing else. */
export function withoutPicture(markdown: string): string {
  const [picture = "", lines = ""] = /```mermaid\n([\s\S]*?)\n```\n/.exec(markdown) ?? [];
  expect(strangeLines(lines)).toEqual([]);
  return markdown.replace(picture, () => "");
}
