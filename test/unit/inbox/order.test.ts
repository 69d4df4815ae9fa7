import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  advance,
  type EntityState,
  impliesDeletion,
  isFresh,
  isOfUnknownIncarnation,
  missedDeletion,
  type OrderedEvent,
} from "../../../runtime/inbox/order.js";
import { orderedEvent, state } from "../../support/entity-states.js";

describe("the order guard", () => {
  it("applies each event once: what was applied is stale ever after", () => {
    fc.assert(
      fc.property(state, fc.array(orderedEvent, { maxLength: 6 }), orderedEvent, (start, between, event) => {
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
      fc.property(state, orderedEvent, (known, event) => {
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
    const update: OrderedEvent = { version: 5, change: "update", seq: 40 };
    expect(isFresh(inferred, update)).toBe(false);
    expect(isOfUnknownIncarnation(inferred, update)).toBe(true);
    expect(isOfUnknownIncarnation({ ...inferred, version: null }, update)).toBe(true);
    expect(isOfUnknownIncarnation(inferred, { ...update, seq: 30 })).toBe(false);
    expect(isOfUnknownIncarnation(inferred, { ...update, version: 3 })).toBe(false);
    expect(isOfUnknownIncarnation(inferred, { ...update, version: null })).toBe(false);
    expect(isOfUnknownIncarnation(inferred, { ...update, change: "create" })).toBe(false);
    expect(isOfUnknownIncarnation({ ...inferred, versioned: true }, update)).toBe(false);
    expect(isOfUnknownIncarnation({ ...inferred, deleted: false }, update)).toBe(false);
    expect(isOfUnknownIncarnation(undefined, update)).toBe(false);
  });

  it("reads a missed deletion off a re-creation over a live entity, and off nothing else", () => {
    const live: EntityState = { version: 3, versioned: true, deleted: false, seq: 30 };
    const placeholder: EntityState = { version: null, versioned: false, deleted: false, seq: null };
    const again: OrderedEvent = { version: 5, change: "create", seq: 40 };
    expect(impliesDeletion(live, again)).toBe(true);
    expect(impliesDeletion({ ...live, deleted: true }, again)).toBe(false);
    expect(impliesDeletion(placeholder, again)).toBe(false);
    expect(impliesDeletion(undefined, again)).toBe(false);
    expect(impliesDeletion(live, { ...again, change: "update" })).toBe(false);
  });

  it("reads one off a life that began after what is known as living, and off nothing else", () => {
    const live: EntityState = { version: 3, versioned: true, deleted: false, seq: 30 };
    expect(missedDeletion(live, 4)).toBe(true);
    expect(missedDeletion(live, 3)).toBe(false);
    expect(missedDeletion({ ...live, deleted: true }, 4)).toBe(false);
    expect(missedDeletion({ ...live, versioned: false }, 4)).toBe(false);
    expect(missedDeletion({ ...live, seq: null }, 4)).toBe(false);
    expect(missedDeletion({ version: null, versioned: false, deleted: false, seq: null }, 4)).toBe(false);
  });
});
