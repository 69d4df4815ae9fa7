import { describe, expect, it } from "vitest";
import { createPerKeyQueues, type OutboxRow } from "../../../runtime/outbox/per-key-queues.js";

const row = (seq: number, id: string): OutboxRow => ({
  seq,
  eventId: `e${seq}`,
  subject: `auth.user.${id}.updated`,
  key: `auth.user.${id}`,
  body: "{}",
  headers: undefined,
});

const seqsOf = (queues: ReturnType<typeof createPerKeyQueues>) => {
  const rows: OutboxRow[] = [];
  for (let next = queues.next(); next; next = queues.next()) rows.push(next);
  return rows;
};

describe("per-key queues", () => {
  it("give one row of each entity in order, and its successor when that is done", () => {
    const queues = createPerKeyQueues();
    queues.add([row(1, "a"), row(2, "a"), row(3, "b"), row(4, "a")]);
    const [first, other, ...none] = seqsOf(queues);
    expect([first?.seq, other?.seq, none]).toEqual([1, 3, []]);
    if (first) queues.done(first);
    const [second] = seqsOf(queues);
    expect(second?.seq).toBe(2);
    if (second) queues.done(second);
    expect(seqsOf(queues).map(({ seq }) => seq)).toEqual([4]);
    expect(queues.size()).toBe(2);
  });

  it("skip duplicates of what they know until it is forgotten", () => {
    const queues = createPerKeyQueues();
    queues.add([row(1, "a")]);
    const [first] = seqsOf(queues);
    if (first) queues.done(first);
    queues.add([row(1, "a")]);
    expect(seqsOf(queues)).toEqual([]);
    expect(queues.known(0)).toEqual([1]);
    queues.forget([1]);
    expect(queues.known(0)).toEqual([]);
  });

  it("drop the rows of a quarantined entity, and take them again when its quarantine ends", () => {
    const queues = createPerKeyQueues();
    queues.add([row(1, "a"), row(2, "a"), row(3, "b")]);
    const [first] = seqsOf(queues);
    if (first) queues.quarantine(first, 500);
    expect(queues.known(0)).toEqual([3]);
    expect(queues.size()).toBe(1);
    expect([queues.refused(), queues.nextEnd(), queues.failures(row(1, "a"))]).toEqual([1, 500, 1]);
    queues.add([row(1, "a"), row(4, "a")]);
    expect(seqsOf(queues)).toEqual([]);
    expect(queues.endQuarantines(499)).toBe(false);
    expect(queues.endQuarantines(500)).toBe(true);
    queues.add([row(1, "a"), row(2, "a")]);
    const [again] = seqsOf(queues);
    expect(again?.seq).toBe(1);
    expect(queues.failures(row(1, "a"))).toBe(1);
    if (again) queues.done(again);
    expect(queues.failures(row(1, "a"))).toBe(0);
  });

  it("know the lowest row that is not deleted, also of a quarantined entity", () => {
    const queues = createPerKeyQueues();
    expect(queues.lowest()).toBe(Number.POSITIVE_INFINITY);
    queues.add([row(3, "a"), row(4, "b"), row(5, "a")]);
    const [first] = seqsOf(queues);
    if (first) queues.quarantine(first, 500);
    expect(queues.known(0)).toEqual([4]);
    expect(queues.lowest()).toBe(3);
    // Somebody has inserted it by hand.
    queues.add([row(2, "a")]);
    expect(queues.lowest()).toBe(2);
    queues.endQuarantines(500);
    expect(queues.lowest()).toBe(4);
    queues.forget([4]);
    expect(queues.lowest()).toBe(Number.POSITIVE_INFINITY);
  });

  it("hold thousands without losing one", () => {
    const queues = createPerKeyQueues();
    let seq = 0;
    let done = 0;
    for (let round = 0; round < 10; round += 1) {
      queues.add(Array.from({ length: 1_000 }, () => row(++seq, `e${seq % 300}`)));
      for (let next = queues.next(); next; next = queues.next()) {
        queues.done(next);
        done += 1;
      }
    }
    expect([done, queues.size()]).toEqual([10_000, 0]);
  });
});
