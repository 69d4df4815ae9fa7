import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/*
 * The tables of the documentation, as data, against those of generated/README.md. Services and tables are
 * sorted there, and rows may say more: each documented row must be there, with the documented cells.
 */

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");
const documented = JSON.parse(read("documented/tables.json"));
const rows = read("../../generated/README.md")
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => line.slice(2, -2).split(" | "));

const words = (cell: string) => cell.split(", ").sort();

test.each<string[]>(documented.serviceBoundaries)("service boundary: %s", (...cells) => {
  const row = rows.find(([first]) => first === cells[0]) ?? [];
  expect(row.map(words)).toEqual(cells.map(words));
});

test.each<string[]>(documented.userEvents)("subject: %s, %s", (...cells) => {
  expect(rows.find(([first]) => first === cells[0])?.slice(0, 2)).toEqual(cells);
});

test.each<string>(documented.configuration)("environment: %s", (variable) => {
  expect(rows.filter(([first]) => first === variable)).toHaveLength(1);
});

test.each<string[]>(documented.cascades)(
  "when a user is deleted: %s, %s %s",
  (service = "", table = "", outcome = "") => {
    const cascades = rows.filter(([on, who]) => on === "`auth.user.{id}.deleted`" && who === service);
    expect(cascades.some(([, , action = ""]) => action.includes(table) && action.includes(outcome))).toBe(
      true,
    );
  },
);

test("the documented examples of the environment are those of .env.example", () => {
  const lines = read("../../generated/.env.example").split("\n");
  for (const [name, example] of Object.entries(documented.examples))
    expect(lines).toContain(`${name}=${example}`);
});
