import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { encodeToken } from "../../../runtime/subject.js";
import { migrateMesh } from "../../support/event-owner.js";
import { anyId } from "../../support/ids.js";
import { createDatabase } from "../../support/servers.js";

describe("mesh.token", () => {
  let client: pg.Client;
  beforeAll(async () => {
    const url = await createDatabase(inject("postgres"), "token");
    const pool = new pg.Pool({ connectionString: url, max: 1 });
    await migrateMesh(pool);
    await pool.end();
    client = new pg.Client({ connectionString: url });
    await client.connect();
  });
  afterAll(() => client.end());

  it("encodes an id as TypeScript does", async () => {
    const ids = fc.sample(anyId, 3_000).filter((id) => Buffer.from(id).length < 600);
    const { rows } = await client.query<{ token: string }>(
      "SELECT mesh.token(id) AS token FROM unnest($1::text[]) WITH ORDINALITY AS given (id, place) ORDER BY place",
      [ids],
    );
    expect(rows.map((row) => row.token)).toEqual(ids.map(encodeToken));
  });

  it.each(["", "x".repeat(2_049), "é".repeat(400)])("refuses the ids that TypeScript refuses", async (id) => {
    await expect(client.query("SELECT mesh.token($1)", [id])).rejects.toThrow();
  });
});
