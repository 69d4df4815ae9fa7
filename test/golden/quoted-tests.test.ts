import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../support/compile.js";

/*
 * The documents name the tests that hold a promise: `file`: title; title. A title may be quoted in part, with … for what
 * is left out and a remark in parentheses. A failure means: quote the title that the test has now.
 */

interface Quote {
  readonly document: string;
  readonly file: string;
  /** Parts of one title. */
  readonly parts: readonly string[];
}

const documents = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
const quotes = documents.flatMap((document) =>
  quotesIn(document, readFileSync(join(ROOT, "docs", document), "utf8")),
);

function quotesIn(document: string, text: string): Quote[] {
  const found: Quote[] = [];
  // The file of quotes without one: a table's head may name it.
  let file: string | undefined;
  for (const line of text.split("\n")) {
    if (!line.startsWith("|")) file = undefined;
    const cell = line.split(/(?<!\\)\|/).at(-2) ?? "";
    if (/^\s*test \(`/.test(cell)) file = /`([^`]+\.test\.ts)`/.exec(cell)?.[1];
    else found.push(...quotesInCell(document, cell, file));
  }
  return found;
}

/** A test, or a suite of contracts that tests share. */
function namedTest(part: string): RegExpExecArray | null {
  const named = /`([^`\s]+\.ts)`:?/.exec(part);
  const file = named?.[1] ?? "";
  return file.endsWith(".test.ts") || existsSync(join(ROOT, "test", file)) ? named : null;
}

function quotesInCell(document: string, cell: string, usual: string | undefined): Quote[] {
  let file = usual;
  return cell.split(";").flatMap((part) => {
    const named = namedTest(part);
    if (named !== null) file = named[1];
    const title = part.slice(named === null ? 0 : named.index + named[0].length).replace(/\([^)]*\)\s*$/, "");
    const parts = title.split("…").map((text) => text.trim());
    // Other columns and cells, and what names a folder of scenarios, quote no test.
    if (file === undefined || /^[-:\s]*$/.test(title) || title.includes("`scenarios/")) {
      return named === null || file === undefined ? [] : [{ document, file, parts: [] }];
    }
    return [{ document, file, parts: parts.filter((text) => text !== "") }];
  });
}

test("documents quote tests by their titles", () => {
  expect(quotes.length).toBeGreaterThan(150);
  const sources = new Map<string, string>();
  const wrong = quotes.filter(({ file, parts }) => {
    const path = join(ROOT, "test", file);
    if (!existsSync(path)) return true;
    const source = sources.get(file) ?? readFileSync(path, "utf8");
    sources.set(file, source);
    return !parts.every((part) => source.includes(part));
  });
  expect(wrong.map(({ document, file, parts }) => `docs/${document}: ${file}: ${parts.join(" … ")}`)).toEqual(
    [],
  );
});
