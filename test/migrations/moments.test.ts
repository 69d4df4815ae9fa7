import { expect, inject, test } from "vitest";
import { applyFiles, chain, openDatabase, shop } from "../support/migrations.js";

/* An event at a time comes to a table with rows, changes and goes again. */

const TABLE = (name: string, column: string, more = "") => `
${name}:
  ${name === "holds" ? "renamed_from: loans" : ""}
  columns:
    loan_id: { type: text, key: true }
    ${column}: { type: timestamptz, null: true ${column === "ends_at" ? ", renamed_from: due_at" : ""} }
    other_at: { type: timestamptz, null: true }
    state: { type: text, default: open }
    ${more}
`;
const emitted = (table: string, at: string) => `
shop.loan.{id}.overdue: { event: LoanOverdue, emit: { table: ${table}, at: ${at} }, payload: { state: string } }
`;
const MODELS = [
  shop(TABLE("loans", "due_at")),
  shop(TABLE("loans", "due_at"), emitted("loans", "due_at")),
  shop(TABLE("holds", "ends_at"), emitted("holds", "ends_at")),
  shop(TABLE("holds", "ends_at"), emitted("holds", "other_at")),
  shop(TABLE("holds", "ends_at")),
];

test("moments of rows that are there are noted, follow a renaming, and go with their event", async () => {
  const database = await openDatabase(inject("postgres"));
  try {
    const { client } = database;
    const to = (count: number) => applyFiles(client, chain(MODELS.slice(0, count)));
    const moments = async () => {
      const { rows } = await client.query(
        "SELECT row_key[1] AS key, routine, date_part('year', due_at) AS year FROM mesh.moment ORDER BY 1",
      );
      return rows.map(({ key, routine, year }) => `${key} ${routine} ${year}`);
    };
    const tell = async (routine: string) =>
      (await client.query("SELECT mesh.tell_moments($1, 'shop.loan.overdue', NULL, 10) AS told", [routine]))
        .rows[0].told;
    await to(1);
    await client.query(
      "INSERT INTO loans VALUES ('past', '2001-01-01Z', '2999-01-01Z'), ('next', '2998-01-01Z', NULL), ('none', NULL, NULL)",
    );
    await to(2);
    expect(await moments()).toEqual(["next due_loans 2998"]);
    await client.query("INSERT INTO loans VALUES ('late', '2002-01-01Z')");
    await to(3);
    expect(await moments()).toEqual(["late due_holds 2002", "next due_holds 2998"]);
    expect(await tell("due_holds")).toBe(1);
    expect((await client.query("SELECT subject FROM mesh.outbox")).rows).toEqual([
      { subject: "shop.loan.late.overdue" },
    ]);
    await to(4);
    expect(await moments()).toEqual(["past due_holds 2999"]);
    await client.query("UPDATE holds SET ends_at = now(), other_at = now()");
    expect(await tell("due_holds")).toBe(4);
    await client.query("UPDATE holds SET other_at = '2997-01-01Z'");
    await to(5);
    expect(await moments()).toEqual([]);
    await client.query("UPDATE holds SET other_at = '2996-01-01Z'");
    expect(await moments()).toEqual([]);
    const { rows } = await client.query("SELECT FROM pg_proc WHERE proname LIKE 'due_%'");
    expect(rows).toEqual([]);
  } finally {
    await database.close();
  }
});
