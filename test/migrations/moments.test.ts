import { describe, expect, inject, test } from "vitest";
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

describe("waiting moments, told of or not yet, follow their rows where", () => {
  const AT = (columns: string, more = "") =>
    shop(
      `loans:\n  ${more}\n  columns: { ${columns}, state: { type: text, default: open } }\n`,
      emitted("loans", "at"),
    );
  const UUID = "a0000000-0000-4000-8000-00000000000a";
  const ROWS = `('told', '2001-01-01Z'), ('past', '2002-01-01 12:00Z'), ('next', '2999-01-01 12:00Z')`;
  const CASES: readonly {
    readonly what: string;
    readonly from: ReturnType<typeof AT>;
    readonly to: ReturnType<typeof AT>;
    readonly insert?: string;
    readonly key?: string;
    readonly expected?: readonly string[];
  }[] = [
    {
      what: "the column becomes a date, and moments midnights",
      from: AT("id: { type: text, key: true }, at: timestamptz?"),
      to: AT("id: { type: text, key: true }, at: date?"),
    },
    {
      what: "the key becomes another column",
      from: AT("id: { type: text, key: true }, other: { type: text, null: true }, at: timestamptz?"),
      to: AT("id: text, other: { type: text, key: true }, at: timestamptz?"),
      insert: `INSERT INTO loans (id, other, at) SELECT 'old ' || id, id, at::timestamptz FROM (VALUES ${ROWS}) AS v (id, at)`,
      key: "'old told'",
    },
    {
      what: "the key's columns change places",
      from: AT("a: text, b: text, at: timestamptz?", "key: [a, b]"),
      to: AT("a: text, b: text, at: timestamptz?", "key: [b, a]"),
      insert: `INSERT INTO loans (a, b, at) VALUES ('x', 'told', '2001-01-01Z'), ('x', 'past', '2002-01-01Z'), ('past', 'x', '2999-01-01 12:00Z')`,
      key: "'x', 'told'",
      expected: ["past,x 2002", "x,past 2999"],
    },
    {
      what: "the key becomes a uuid",
      from: AT("id: { type: text, key: true }, at: timestamptz?"),
      to: AT("id: { type: uuid, key: true }, at: timestamptz?"),
      insert: `INSERT INTO loans (id, at) VALUES ('${UUID.replace(/a$/, "b")}', '2001-01-01Z'), (upper('${UUID}'), '2002-01-01Z')`,
      key: `'${UUID.replace(/a$/, "b")}'`,
      expected: [`${UUID} 2002`],
    },
    {
      what: "rows are no longer deleted softly",
      from: AT("id: { type: text, key: true }, gone: timestamptz?, at: timestamptz?", "soft_delete: gone"),
      to: AT("id: { type: text, key: true }, gone: timestamptz?, at: timestamptz?"),
      insert: `INSERT INTO loans (id, at) VALUES ${ROWS}; INSERT INTO loans (id, gone, at) VALUES ('back', now(), '2998-01-01Z')`,
      expected: ["back 2998", "next 2999", "past 2002"],
    },
  ];

  test.each(CASES)(
    "$what",
    async ({ from, to, insert, key = "'told'", expected = ["next 2999", "past 2002"] }) => {
      const database = await openDatabase(inject("postgres"));
      try {
        const { client } = database;
        await applyFiles(client, chain([from]));
        await client.query(insert ?? `INSERT INTO loans (id, at) VALUES ${ROWS}`);
        await client.query(`SELECT mesh.tell_moments('due_loans', 'shop.loan.overdue', ARRAY[${key}], 1)`);
        expect((await client.query("SELECT FROM mesh.outbox")).rowCount).toBe(1);
        await applyFiles(client, chain([from, to]));
        const { rows } = await client.query(
          "SELECT array_to_string(row_key, ',') || ' ' || date_part('year', due_at) AS moment FROM mesh.moment ORDER BY 1",
        );
        expect(rows.map(({ moment }) => moment)).toEqual(expected);
        await client.query("SELECT mesh.tell_moments('due_loans', 'shop.loan.overdue', NULL, 10)");
        expect((await client.query("SELECT FROM mesh.outbox")).rowCount).toBe(2);
      } finally {
        await database.close();
      }
    },
  );
});

test("waiting moments of a table that exists follow its rows to another key", async () => {
  const at = (key: string) =>
    shop(
      `loans:\n  existing: true\n  columns: { ${key}: { type: text, key: true }, at: timestamptz? }\n`,
      `shop.loan.{id}.overdue: { event: LoanOverdue, emit: { table: loans, at: at }, payload: { } }`,
    );
  const database = await openDatabase(inject("postgres"));
  try {
    const { client } = database;
    await client.query(
      "CREATE TABLE loans (id text PRIMARY KEY, other varchar(20) NOT NULL UNIQUE, at timestamptz)",
    );
    await applyFiles(client, chain([at("id")]));
    await client.query("INSERT INTO loans VALUES ('a', 'b', '2001-01-01Z'), ('b', 'a', '2999-01-01Z')");
    await applyFiles(client, chain([at("id"), at("other")]));
    expect(
      (
        await client.query(
          "SELECT row_key[1] AS key, date_part('year', due_at) AS year FROM mesh.moment ORDER BY 1",
        )
      ).rows,
    ).toEqual([
      { key: "a", year: 2999 },
      { key: "b", year: 2001 },
    ]);
  } finally {
    await database.close();
  }
});
