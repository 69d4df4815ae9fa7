import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/*
 * What a person writes beside the figures: bench/explanations/SECTION.md. Text before the first heading is of the section; a heading
 * `## WHAT` begins the text of one row, such as the profile that says why its goal is missed.
 */

export interface Explanations {
  readonly section: string;
  readonly rows: ReadonlyMap<string, string>;
}

export function readExplanations(section: string): Explanations {
  const file = fileURLToPath(new URL(`../explanations/${section}.md`, import.meta.url));
  return parseExplanations(existsSync(file) ? readFileSync(file, "utf8") : "");
}

export function parseExplanations(text: string): Explanations {
  const [section = "", ...parts] = text.split(/^## /m);
  const rows = parts.map((part): [string, string] => {
    const [heading = "", ...lines] = part.split("\n");
    return [heading.trim(), lines.join("\n").trim()];
  });
  return { section: section.trim(), rows: new Map(rows) };
}
