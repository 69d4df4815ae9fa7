import { idExpression } from "@meshwright/runtime/column-sql";
import { dollarQuote, identifier, literal } from "../../migrations/sql-names.js";
import type { Step } from "../../migrations/steps.js";
import type { Printing } from "./sql-render.js";

/** How `adopt_rows` goes through a table page by page: with two variables for each column of its key. */
export function adoptionView({ table, adoption }: Step & { kind: "adopt_rows" }, printing: Printing) {
  const relation = printing.relation(table.name);
  const key = table.key.columns.map(identifier);
  const [first = "", ...others] = key;
  const of = (row: string) => key.map((column) => `${row}.${column}`);
  const named = (name: string) =>
    others.length === 0 ? [name] : key.map((_, index) => `${name}_${index + 1}`);
  const together = (cells: readonly string[]) =>
    cells.length === 1 ? cells.join() : `(${cells.join(", ")})`;
  const [last, upto] = [named("last"), named("upto")];
  const declared = (names: readonly string[]) =>
    names.map((name, index) => `${name} ${relation}.${key[index] ?? first}%TYPE;`);
  const view = {
    table: relation,
    variables: [...declared(last), ...declared(upto)],
    kept: of("kept").join(", "),
    page: of("page").join(", "),
    backwards: of("page")
      .map((cell) => `${cell} DESC`)
      .join(", "),
    upto: upto.join(", "),
    isAtStart: `${last[0]} IS NULL`,
    isAtEnd: `${upto[0]} IS NULL`,
    after: `${together(of("kept"))} > ${together(last)}`,
    within: `${together(of("kept"))} <= ${together(upto)}`,
    moves: last.map((name, index) => `${name} := ${upto[index]};`).join(" "),
    // Of a table that exists no types are known here; within other texts nothing is to be escaped.
    id: idExpression(of("kept").map((value) => ({ type: "text", value }))),
    entity: literal(adoption.entity),
    firstVersion: adoption.sendsFirstVersion ? "relay.minimum_version + 1" : "NULL",
    living: adoption.living === undefined ? [] : [adoption.living],
  };
  return { ...view, quote: dollarQuote(JSON.stringify(view)) };
}
