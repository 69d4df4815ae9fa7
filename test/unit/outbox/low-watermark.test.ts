import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createLowWatermark,
  parseSnapshot,
  type Seen,
  type Snapshot,
} from "../../../runtime/outbox/low-watermark.js";

const snapshot = (next: number, ...running: number[]): Snapshot => ({ next, running: new Set(running) });

describe("a snapshot", () => {
  it("is read from the text of pg_current_snapshot()", () => {
    expect(parseSnapshot("10:20:10,14")).toEqual(snapshot(20, 10, 14));
    expect(parseSnapshot("20:20:")).toEqual(snapshot(20));
  });
});

/** A read that saw rows up to `upTo`, and then took a transaction id: the next one, unless others began before. */
const seen = (snapshot: Snapshot, upTo: number, later = snapshot.next): Seen => ({ snapshot, upTo, later });

describe("the low watermark", () => {
  it("rises at once to what was read while nothing ran", () => {
    const lowWatermark = createLowWatermark(1_000);
    expect(lowWatermark.accept(seen(snapshot(5), 100), 0)).toBe(true);
    expect(lowWatermark.value()).toBe(100);
  });

  it("waits for whoever ran during the read, not for who came later", () => {
    const lowWatermark = createLowWatermark(1_000);
    lowWatermark.accept(seen(snapshot(10, 7), 100), 0);
    expect(lowWatermark.value()).toBe(0);
    lowWatermark.accept(seen(snapshot(15, 7, 12), 120), 1);
    expect(lowWatermark.value()).toBe(0);
    lowWatermark.accept(seen(snapshot(16, 12), 130), 2);
    expect(lowWatermark.value()).toBe(100);
  });

  it("waits for those too of which the snapshot does not tell, since no later one had ended", () => {
    const lowWatermark = createLowWatermark(1_000);
    // 10 and 11 have begun, and are to take earlier sequences than what was seen.
    lowWatermark.accept(seen(snapshot(10), 100, 12), 0);
    expect(lowWatermark.value()).toBe(0);
    lowWatermark.accept({ snapshot: snapshot(13, 11), upTo: 100, later: undefined }, 1);
    expect(lowWatermark.value()).toBe(0);
    lowWatermark.accept({ snapshot: snapshot(13), upTo: 100, later: undefined }, 2);
    expect(lowWatermark.value()).toBe(100);
  });

  it("knows below which nobody can add a row, not even who is set aside", () => {
    const lowWatermark = createLowWatermark(1_000);
    lowWatermark.accept(seen(snapshot(5), 100), 0);
    lowWatermark.accept(seen(snapshot(10, 7), 120), 0);
    lowWatermark.accept(seen(snapshot(11, 7), 130), 1_500);
    expect([lowWatermark.value(), lowWatermark.floor(), lowWatermark.running()]).toEqual([130, 100, 0]);
    lowWatermark.accept(seen(snapshot(14, 7, 12), 140), 1_600);
    expect([lowWatermark.floor(), lowWatermark.running()]).toEqual([100, 1]);
    lowWatermark.accept(seen(snapshot(15), 150), 1_700);
    lowWatermark.accept(seen(snapshot(15), 150), 1_800);
    expect([lowWatermark.value(), lowWatermark.floor()]).toEqual([150, 150]);
  });

  it("sets a long transaction aside, and has everything read anew when it ends", () => {
    const lowWatermark = createLowWatermark(1_000);
    lowWatermark.accept(seen(snapshot(10, 7), 100), 0);
    lowWatermark.accept(seen(snapshot(11, 7), 110), 1_500);
    expect(lowWatermark.value()).toBe(110);
    expect(lowWatermark.accept(seen(snapshot(12), 120), 1_600)).toBe(false);
    expect(lowWatermark.value()).toBe(110);
    expect(lowWatermark.accept(seen(snapshot(12), 120), 1_700)).toBe(true);
    expect(lowWatermark.value()).toBe(120);
  });

  it("does not trust an earlier read beyond a full page of late rows", () => {
    const lowWatermark = createLowWatermark(1_000);
    lowWatermark.accept(seen(snapshot(10, 7), 1_000), 0);
    lowWatermark.accept(seen(snapshot(12, 10), 400), 1);
    expect(lowWatermark.value()).toBe(400);
  });

  /**
   * Writers that begin, take a sequence and commit at any later times, one writer of an entity at a time; a reader that pages.
   * What must hold: rows of one entity are read in order, and none stays unread once a little time has passed.
   */
  it("lets no row be read before an older one of its entity, and loses none", () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant("begin" as const), entity: fc.nat(4) }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constant("take" as const), pick: fc.nat(20) }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constant("commit" as const), pick: fc.nat(20) }) },
      { weight: 5, arbitrary: fc.record({ do: fc.constant("read" as const), later: fc.nat(600) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 4 }), (steps, page) => {
        const world = simulate(page);
        for (const each of steps) {
          if (each.do === "begin") world.begin(each.entity);
          else if (each.do === "take") world.take(each.pick);
          else if (each.do === "commit") world.commit(each.pick);
          else world.read(each.later);
        }
        world.finish();
      }),
      { numRuns: 500 },
    );
  });
});

interface Row {
  readonly seq: number;
  readonly entity: number;
}

/** The table, its writers, and a reader that does with the lowWatermark what the relay does. */
function simulate(page: number) {
  const lowWatermark = createLowWatermark(1_000);
  const running = new Map<number, { readonly entity: number; seq: number | undefined }>();
  const visible: Row[] = [];
  const known = new Set<number>();
  const lastOf = new Map<number, number>();
  let transaction = 0;
  let lastEnded = 0;
  let seq = 0;
  let now = 0;
  let position = 0;
  let rescan: { after: number; upTo: number } | undefined;

  const select = (after: number, upTo: number) =>
    visible
      .filter((row) => row.seq > after && row.seq <= upTo && !known.has(row.seq))
      .sort((one, other) => one.seq - other.seq)
      .slice(0, page);
  const use = (rows: readonly Row[]) => {
    for (const row of rows) {
      expect(row.seq, `entity ${row.entity}`).toBeGreaterThan(lastOf.get(row.entity) ?? 0);
      lastOf.set(row.entity, row.seq);
      known.add(row.seq);
    }
  };
  const world = {
    begin(entity: number) {
      // The entity's counter is locked by whoever holds it.
      if ([...running.values()].some((row) => row.entity === entity)) return;
      transaction += 1;
      running.set(transaction, { entity, seq: undefined });
    },
    take(pick: number) {
      const writer = [...running.values()][pick % Math.max(1, running.size)];
      if (!writer || writer.seq !== undefined) return;
      seq += 1;
      writer.seq = seq;
    },
    commit(pick: number) {
      const [id, writer] = [...running][pick % Math.max(1, running.size)] ?? [];
      if (id === undefined || writer === undefined) return;
      world.take(pick);
      running.delete(id);
      lastEnded = Math.max(lastEnded, id);
      visible.push({ entity: writer.entity, seq: writer.seq ?? 0 });
    },
    read(later: number) {
      now += later;
      if (rescan) {
        const rows = select(rescan.after, rescan.upTo);
        const last = rows.at(-1)?.seq;
        rescan = rows.length === page && last !== undefined ? { after: last, upTo: rescan.upTo } : undefined;
        return use(rows);
      }
      const rows = select(lowWatermark.value(), Number.POSITIVE_INFINITY);
      const last = rows.at(-1)?.seq ?? 0;
      const upTo = rows.length === page ? last : Math.max(position, last);
      const told = snapshot(lastEnded + 1, ...[...running.keys()].filter((id) => id <= lastEnded));
      // Whoever finds rows takes a transaction id, and ends with its statement.
      if (rows.length > 0) {
        transaction += 1;
        lastEnded = transaction;
      }
      const id = rows.length > 0 ? transaction : undefined;
      if (!lowWatermark.accept({ snapshot: told, upTo, later: id }, now)) {
        rescan = { after: 0, upTo: position };
        return;
      }
      position = Math.max(position, upTo);
      use(rows);
    },
    finish() {
      while (running.size > 0) world.commit(0);
      for (let reads = 0; reads < seq * 3 + 10; reads += 1) world.read(1);
      expect(known.size).toBe(seq);
    },
  };
  return world;
}
