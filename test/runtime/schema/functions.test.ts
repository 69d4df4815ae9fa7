import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { encodeToken } from "../../../runtime/subject.js";
import { idExpression } from "../../../runtime/values/column-sql.js";
import { joinId } from "../../../runtime/values/entity-id.js";
import { anyId } from "../../support/ids.js";
import { openFolder, removeFolders, runMigrations } from "../../support/migration-folder.js";
import { createDatabase } from "../../support/servers.js";

let client: pg.Client;
beforeAll(async () => {
  const url = await createDatabase(inject("postgres"), "functions");
  await runMigrations(url, (await openFolder({})).path);
  client = new pg.Client({ connectionString: url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await removeFolders();
});

async function tokens(ids: readonly string[]): Promise<readonly string[]> {
  const { rows } = await client.query(
    "SELECT mesh.token(id) AS token FROM unnest($1::text[]) WITH ORDINALITY AS ids (id, place) ORDER BY place",
    [ids],
  );
  return rows.map((row) => row.token);
}

describe("mesh.token", () => {
  test.each([
    ["V1StGXR8_Z5jdHi6B-myT", "V1StGXR8_Z5jdHi6B-myT"],
    ["~!@#$^&()+,/=?:;<\\[]{}|`\"'-_", "~!@#$^&()+,/=?:;<\\[]{}|`\"'-_"],
    ["a.b", "a%2Eb"],
    ["*", "%2A"],
    [">", "%3E"],
    ["100%", "100%25"],
    ["a b\tc", "a%20b%09c"],
    ["x\r\nPUB pwned 2", "x%0D%0APUB%20pwned%202"],
    ["\u007f\u0001", "%7F%01"],
    ["é€😀", "%C3%A9%E2%82%AC%F0%9F%98%80"],
    ["\u0085\u00a0\u2028", "%C2%85%C2%A0%E2%80%A8"],
  ])("%j is %s", async (id, token) => {
    expect(await tokens([id])).toEqual([token]);
  });

  test("is one safe token, reversible, and the same as in TypeScript, for any id", async () => {
    // PostgreSQL's text does not hold NUL.
    const id = fc
      .string({ unit: "binary", minLength: 1, maxLength: 30 })
      .filter((text) => !text.includes("\0"));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(id, fc.string({ minLength: 1 })), { minLength: 50, maxLength: 50 }),
        async (ids) => {
          const encoded = await tokens(ids);
          for (const [index, token] of encoded.entries()) {
            expect(token).toMatch(/^[!-~]+$/);
            expect(token).not.toMatch(/[.*>]/);
            expect(decodeURIComponent(token)).toBe(ids[index]);
            expect(token).toBe(encodeToken(ids[index] ?? ""));
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test("refuses an empty id (22023) and one that no subject holds (54000); NULL stays NULL", async () => {
    await expect(tokens([""])).rejects.toMatchObject({ code: "22023" });
    await expect(tokens(["é".repeat(400)])).rejects.toMatchObject({ code: "54000" });
    await expect(tokens(["x".repeat(2049)])).rejects.toMatchObject({ code: "54000" });
    expect(await tokens(["x".repeat(2048)])).toEqual(["x".repeat(2048)]);
    expect((await client.query("SELECT mesh.token(NULL) AS token")).rows).toEqual([{ token: null }]);
  });

  test("costs no function call for a safe id", async () => {
    const { rows } = await client.query(
      "EXPLAIN (VERBOSE) SELECT mesh.token(id) FROM (VALUES ('a'), ('b')) AS v (id)",
    );
    expect(JSON.stringify(rows)).not.toContain("mesh.token(");
  });
});

describe("mesh.id_part", () => {
  test("makes the id of a key of several columns as TypeScript does, and mesh.part_of_id its parts again", async () => {
    const part = fc.oneof(anyId, fc.constantFrom("", ":", "%", "%3A", "%25"));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(part, part), { minLength: 50, maxLength: 50 }), async (keys) => {
        const id = idExpression([
          { type: "text", value: "key.one" },
          { type: "varchar(9)", value: "key.other" },
        ]);
        const { rows } = await client.query<{ id: string; one: string; other: string }>(
          `SELECT id, mesh.part_of_id(id, 1) AS one, mesh.part_of_id(id, 2) AS other
FROM (SELECT place, ${id} AS id FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (one, other, place)) AS made ORDER BY place`,
          [keys.map(([one]) => one), keys.map(([, other]) => other)],
        );
        expect(rows).toEqual(keys.map(([one, other]) => ({ id: joinId([one, other]), one, other })));
      }),
      { numRuns: 40 },
    );
  });

  test("costs no function call", async () => {
    const { rows } = await client.query(
      "EXPLAIN (VERBOSE) SELECT mesh.id_part(id) FROM (VALUES ('a'), ('b')) AS v (id)",
    );
    expect(JSON.stringify(rows)).not.toContain("mesh.");
  });
});

describe("mesh.next_version", () => {
  test("counts per entity from the floor, and orders concurrent callers by commit", async () => {
    const next = async (entity: string, id: string) =>
      (await client.query("SELECT mesh.next_version($1, $2)::int AS version", [entity, id])).rows[0]?.version;
    expect([await next("a.b", "x"), await next("a.b", "x"), await next("a.c", "x")]).toEqual([1, 2, 1]);
    await client.query("UPDATE mesh.relay SET minimum_version = 10");
    expect([await next("a.b", "x"), await next("a.b", "new")]).toEqual([11, 11]);
    await client.query("UPDATE mesh.relay SET minimum_version = 0");
    expect(await next("a.b", "x")).toBe(12);
  });
});

test("every table and column with a meaning of its own is described where an operator looks", async () => {
  const { rows } = await client.query(
    `SELECT relname FROM pg_class WHERE relnamespace = 'mesh'::regnamespace AND relkind = 'r'
     AND obj_description(oid, 'pg_class') IS NULL`,
  );
  expect(rows).toEqual([]);
});

test("one dead letter per durable and message; one row in the tables that have one", async () => {
  const write = (durable: string) =>
    client.query(
      "INSERT INTO mesh.dead_letter (durable, stream, stream_seq, subject, body, error) VALUES ($1, 'S', 1, 's', 'x', 'e')",
      [durable],
    );
  await write("a");
  await write("b");
  await expect(write("a")).rejects.toMatchObject({ code: "23505" });
  for (const table of ["broker", "relay"]) {
    await expect(client.query(`INSERT INTO mesh.${table} DEFAULT VALUES`)).rejects.toMatchObject({
      code: "23505",
    });
    await expect(client.query(`INSERT INTO mesh.${table} (one) VALUES (false)`)).rejects.toMatchObject({
      code: "23514",
    });
  }
});

describe("mesh.cause", () => {
  const cause = async (text: string) => {
    await client.query("SELECT pg_catalog.set_config('mesh.cause', $1, false)", [text]);
    return (await client.query<{ cause: unknown }>("SELECT mesh.cause() AS cause")).rows[0]?.cause;
  };

  test.each([
    "rubbish",
    "",
    " ",
    "null",
    "1",
    '"x"',
    "[]",
    '{"a"',
    '{"a":1}',
    '{"a":"b",}',
    '{"a":"\n"}',
    '{"a":"\\u0000"}',
    '{"a":"b"} x',
    '{a:"b"}',
  ])("SET mesh.cause = %j fails no write of the session, and is no cause", async (text) => {
    expect(await cause(text)).toBeNull();
  });

  test("takes every object of printable texts, as JSON prints it, and fails for no text", async () => {
    const printable = fc.string({
      unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)),
    });
    await fc.assert(
      fc.asyncProperty(fc.dictionary(printable, printable, { noNullPrototype: true }), async (headers) => {
        expect(await cause(JSON.stringify(headers))).toEqual(headers);
        expect(await cause(` ${JSON.stringify(headers, undefined, 2)}\n`)).toEqual(headers);
      }),
    );
    const near = fc.array(fc.constantFrom("{", "}", '"', ":", ",", "\\", "a", "\\n", "u", " ", "0"), {
      maxLength: 14,
    });
    await fc.assert(fc.asyncProperty(near, async (parts) => void (await cause(parts.join("")))));
  });
});
