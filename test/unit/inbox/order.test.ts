import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import {
  advance,
  type Change,
  type EntityState,
  endsUnheard,
  freshSql,
  impliesDeletion,
  isFresh,
  lacksLife,
  type Place,
} from "../../../runtime/inbox/order.js";

const version = fc.option(fc.integer({ min: 0, max: 5 }), { nil: null });
const change = fc.constantFrom<Change>("create", "update", "delete", "none");
const state: fc.Arbitrary<EntityState> = fc.record({
  version,
  versioned: fc.boolean(),
  deleted: fc.boolean(),
  seq: fc.option(fc.integer({ min: 0, max: 5 }), { nil: null }),
});
const place: fc.Arbitrary<Place> = fc.record({ version, change, seq: fc.integer({ min: 1, max: 6 }) });

describe("the order guard", () => {
  let client: pg.Client;
  beforeAll(async () => {
    client = new pg.Client({ connectionString: inject("postgres") });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
  });

  it("says the same in SQL as in TypeScript", async () => {
    const predicate = freshSql("state", { version: "$1::bigint", change: "$2::text", seq: "$3::bigint" });
    const text = `SELECT ${predicate} AS fresh
FROM (VALUES ($4::bigint, $5::boolean, $6::boolean, $7::bigint)) AS state (version, versioned, deleted, stream_seq)`;
    await fc.assert(
      fc.asyncProperty(state, place, async (known, event) => {
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

  it("applies each event once: what was applied is stale ever after", () => {
    fc.assert(
      fc.property(state, fc.array(place, { maxLength: 6 }), place, (start, between, event) => {
        fc.pre(isFresh(start, event));
        let known = advance(start, event);
        for (const other of between) {
          if (other.seq > (known.seq ?? 0) && isFresh(known, other)) known = advance(known, other);
        }
        expect(isFresh(known, event)).toBe(false);
      }),
    );
  });

  it("never goes back in version or sequence", () => {
    fc.assert(
      fc.property(state, place, (known, event) => {
        const next = advance(known, event);
        expect(next.seq).toBeGreaterThanOrEqual(known.seq ?? 0);
        expect(next.version ?? -1).toBeGreaterThanOrEqual(known.version ?? -1);
      }),
    );
  });

  it("keeps a tombstone against late news and gives it up for a true re-creation", () => {
    const tombstone: EntityState = { version: 3, versioned: true, deleted: true, seq: 30 };
    expect(isFresh(tombstone, { version: 1, change: "create", seq: 40 })).toBe(false);
    expect(isFresh(tombstone, { version: 2, change: "update", seq: 40 })).toBe(false);
    expect(isFresh(tombstone, { version: null, change: "update", seq: 40 })).toBe(false);
    expect(isFresh(tombstone, { version: null, change: "create", seq: 20 })).toBe(false);
    expect(isFresh(tombstone, { version: 4, change: "create", seq: 20 })).toBe(true);
    expect(isFresh(tombstone, { version: null, change: "create", seq: 40 })).toBe(true);
  });

  it("tells what comes of a life that is not known, after an inferred deletion, from what is old", () => {
    const inferred: EntityState = { version: 3, versioned: false, deleted: true, seq: 30 };
    const update: Place = { version: 5, change: "update", seq: 40 };
    expect(isFresh(inferred, update)).toBe(false);
    expect(lacksLife(inferred, update)).toBe(true);
    expect(lacksLife({ ...inferred, version: null }, update)).toBe(true);
    expect(lacksLife(inferred, { ...update, seq: 30 })).toBe(false);
    expect(lacksLife(inferred, { ...update, version: 3 })).toBe(false);
    expect(lacksLife(inferred, { ...update, version: null })).toBe(false);
    expect(lacksLife(inferred, { ...update, change: "create" })).toBe(false);
    expect(lacksLife({ ...inferred, versioned: true }, update)).toBe(false);
    expect(lacksLife({ ...inferred, deleted: false }, update)).toBe(false);
    expect(lacksLife(undefined, update)).toBe(false);
  });

  it("reads a missed deletion off a re-creation over a live entity, and off nothing else", () => {
    const live: EntityState = { version: 3, versioned: true, deleted: false, seq: 30 };
    const placeholder: EntityState = { version: null, versioned: false, deleted: false, seq: null };
    const again: Place = { version: 5, change: "create", seq: 40 };
    expect(impliesDeletion(live, again)).toBe(true);
    expect(impliesDeletion({ ...live, deleted: true }, again)).toBe(false);
    expect(impliesDeletion(placeholder, again)).toBe(false);
    expect(impliesDeletion(undefined, again)).toBe(false);
    expect(impliesDeletion(live, { ...again, change: "update" })).toBe(false);
  });

  it("reads one off a life that began after what is known as living, and off nothing else", () => {
    const live: EntityState = { version: 3, versioned: true, deleted: false, seq: 30 };
    expect(endsUnheard(live, 4)).toBe(true);
    expect(endsUnheard(live, 3)).toBe(false);
    expect(endsUnheard({ ...live, deleted: true }, 4)).toBe(false);
    expect(endsUnheard({ ...live, versioned: false }, 4)).toBe(false);
    expect(endsUnheard({ ...live, seq: null }, 4)).toBe(false);
    expect(endsUnheard({ version: null, versioned: false, deleted: false, seq: null }, 4)).toBe(false);
  });
});
