import { expect } from "vitest";

/** Texts of a box or an arrow: words and a few signs, every other character by its number. */
const TEXT = String.raw`"(?:[\w ,.:*-]|#\d+;|<br>)*"`;
const LINE = new RegExp(
  String.raw`^(?:flowchart LR| {2}service\d+(?:\[${TEXT}\]|\(\[${TEXT}\]\))| {2}service\d+ -- ${TEXT} --> service\d+)$`,
);

/** A generated README.md without its picture, of which every line is held to be a box or an arrow, and nothing else. */
export function withoutPicture(markdown: string): string {
  const [picture = "", lines = ""] = /```mermaid\n([\s\S]*?)\n```\n/.exec(markdown) ?? [];
  expect(lines.split("\n").filter((line) => !LINE.test(line))).toEqual([]);
  return markdown.replace(picture, () => "");
}
