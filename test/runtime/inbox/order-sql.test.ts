import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { freshSql, isFresh } from "../../../runtime/inbox/order.js";
import { orderedEvent, state } from "../../support/entity-states.js";

let client: pg.Client;
beforeAll(async () => {
  client = new pg.Client({ connectionString: inject("postgres") });
  await client.connect();
});
afterAll(async () => {
  await client.end();
});

it("the order guard decides the same in SQL as in TypeScript", async () => {
  const predicate = freshSql("state", { version: "$1::bigint", change: "$2::text", seq: "$3::bigint" });
  const text = `SELECT ${predicate} AS fresh
FROM (VALUES ($4::bigint, $5::boolean, $6::boolean, $7::bigint)) AS state (version, versioned, deleted, stream_seq)`;
  await fc.assert(
    fc.asyncProperty(state, orderedEvent, async (known, event) => {
      const { rows } = await client.query({
        name: "fresh",
        text,
        values: [
          event.version,
          event.change,
          event.seq,
          known.version,
          known.versioned,
          known.deleted,
          known.seq,
        ],
      });
      expect(rows[0].fresh).toBe(isFresh(known, event));
    }),
    { numRuns: 2_000 },
  );
});
