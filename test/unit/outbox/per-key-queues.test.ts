import { describe, expect, it } from "vitest";
import { createLanes, type OutboxRow } from "../../../runtime/outbox/per-key-queues.js";

const row = (seq: number, id: string): OutboxRow => ({
  seq,
  eventId: `e${seq}`,
  subject: `auth.user.${id}.updated`,
  entity: `auth.user.${id}`,
  body: "{}",
  headers: undefined,
});

const seqsOf = (lanes: ReturnType<typeof createLanes>) => {
  const rows: OutboxRow[] = [];
  for (let next = lanes.next(); next; next = lanes.next()) rows.push(next);
  return rows;
};

describe("lanes", () => {
  it("give one row of each entity, and its successor when that is done", () => {
    const lanes = createLanes();
    lanes.add([row(1, "a"), row(2, "a"), row(3, "b"), row(4, "a")]);
    const [first, other, ...none] = seqsOf(lanes);
    expect([first?.seq, other?.seq, none]).toEqual([1, 3, []]);
    if (first) lanes.done(first);
    const [second] = seqsOf(lanes);
    expect(second?.seq).toBe(2);
    if (second) lanes.done(second);
    expect(seqsOf(lanes).map(({ seq }) => seq)).toEqual([4]);
    expect(lanes.held()).toBe(2);
  });

  it("pass over what they know until it is forgotten", () => {
    const lanes = createLanes();
    lanes.add([row(1, "a")]);
    const [first] = seqsOf(lanes);
    if (first) lanes.done(first);
    lanes.add([row(1, "a")]);
    expect(seqsOf(lanes)).toEqual([]);
    expect(lanes.known(0)).toEqual([1]);
    lanes.forget([1]);
    expect(lanes.known(0)).toEqual([]);
  });

  it("let go of a parked entity, and take it back in when it is due", () => {
    const lanes = createLanes();
    lanes.add([row(1, "a"), row(2, "a"), row(3, "b")]);
    const [first] = seqsOf(lanes);
    if (first) lanes.park(first, 500);
    expect(lanes.known(0)).toEqual([3]);
    expect(lanes.held()).toBe(1);
    expect([lanes.parked(), lanes.nextUnpark(), lanes.strikes(row(1, "a"))]).toEqual([1, 500, 1]);
    lanes.add([row(1, "a"), row(4, "a")]);
    expect(seqsOf(lanes)).toEqual([]);
    expect(lanes.unpark(499)).toBe(false);
    expect(lanes.unpark(500)).toBe(true);
    lanes.add([row(1, "a"), row(2, "a")]);
    const [again] = seqsOf(lanes);
    expect(again?.seq).toBe(1);
    expect(lanes.strikes(row(1, "a"))).toBe(1);
    if (again) lanes.done(again);
    expect(lanes.strikes(row(1, "a"))).toBe(0);
  });

  it("hold thousands without losing one", () => {
    const lanes = createLanes();
    let seq = 0;
    let done = 0;
    for (let round = 0; round < 10; round += 1) {
      lanes.add(Array.from({ length: 1_000 }, () => row(++seq, `e${seq % 300}`)));
      for (let next = lanes.next(); next; next = lanes.next()) {
        lanes.done(next);
        done += 1;
      }
    }
    expect([done, lanes.held()]).toEqual([10_000, 0]);
  });
});
