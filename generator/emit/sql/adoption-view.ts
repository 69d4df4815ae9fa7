import { idExpression } from "@meshwright/runtime/column-sql";
import { identifier } from "../../migrations/sql-names.js";
import type { Step } from "../../migrations/steps.js";
import { dollarQuote, literal, SCHEMA_MARK } from "../../quote/sql.js";
import type { Printing } from "./sql-render.js";

/** How `adopt_rows` goes through a table page by page, with the last key of each in a record: a variable of a domain may not be NULL. */
export function adoptionView({ table, adoption }: Step & { kind: "adopt_rows" }, printing: Printing) {
  const relation = printing.relation(table.name);
  const key = table.key.columns.map(identifier);
  const [first = ""] = key;
  const of = (row: string) => key.map((column) => `${row}.${column}`);
  const together = (row: string) => (key.length === 1 ? of(row).join() : `(${of(row).join(", ")})`);
  const view = {
    table: relation,
    kept: of("kept").join(", "),
    page: of("page").join(", "),
    backwards: of("page")
      .map((cell) => `${cell} DESC`)
      .join(", "),
    isAtStart: `last.${first} IS NULL`,
    after: `${together("kept")} > ${together("last")}`,
    within: `${together("kept")} <= ${together("upto")}`,
    // Of a table that exists no types are known here; within other texts nothing is to be escaped.
    id: idExpression(
      of("kept").map((value) => ({ type: "text", value })),
      SCHEMA_MARK,
    ),
    entity: literal(adoption.entity),
    firstVersion: adoption.sendsFirstVersion ? "relay.minimum_version + 1" : "NULL",
    living: adoption.living === undefined ? [] : [adoption.living],
  };
  return { ...view, quote: dollarQuote(JSON.stringify(view)) };
}
