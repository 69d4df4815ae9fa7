import { describe, expect, it } from "vitest";
import type { EntityState } from "../../../runtime/inbox/order.js";
import { type Phase, planBatch } from "../../../runtime/inbox/plan-batch.js";
import { type DefinitionChoices, profileConsumer, userConsumer } from "../../support/user-consumer.js";
import { buildModel, eventsOf, type StoredEvent } from "./events.js";

const created = (id: string, seq: number, version = 1): StoredEvent => ({
  id,
  action: "created",
  seq,
  version,
});
const updated = (id: string, seq: number, version: number): StoredEvent => ({
  id,
  action: "updated",
  seq,
  version,
  payload: { username: `${id}-${version}` },
});
const deleted = (id: string, seq: number, version: number): StoredEvent => ({
  id,
  action: "deleted",
  seq,
  version,
});

const live = (version: number | null, seq = 1): EntityState => ({
  version,
  versioned: version !== null,
  deleted: false,
  seq,
});

function plan(
  sent: readonly StoredEvent[],
  known: Readonly<Record<string, EntityState>> = {},
  choices: DefinitionChoices = {},
) {
  const model = buildModel(userConsumer(choices));
  return planBatch(model, eventsOf(model, sent), new Map(Object.entries(known)));
}

const outline = ({ removals, upserts, handled }: Phase) => ({
  removals: [...removals.keys()],
  rows: [...upserts.values()].map(({ id, cells }) => `${id} ${cells[0]}`),
  hooks: handled.map(({ subject }) => subject),
});
const nothing = { removals: [], rows: [], hooks: [] };
const hook = async () => undefined;

describe("planning a batch", () => {
  it("writes the last version of each entity, in one phase", () => {
    const { phases, fresh, overtaken } = plan([created("a", 1), created("b", 2), updated("a", 3, 2)]);
    expect(phases.map(outline)).toEqual([{ ...nothing, rows: ["a a-2", "b name-b"] }]);
    expect([...(phases[0]?.states ?? [])]).toEqual([
      ["a", live(2, 3)],
      ["b", live(1, 2)],
    ]);
    expect([fresh, overtaken]).toEqual([3, []]);
  });

  it("is idempotent: a redelivery of what was applied is stale and plans nothing", () => {
    const sent = [created("a", 1), updated("a", 2, 2)];
    expect(plan(sent, { a: live(2, 2) })).toMatchObject({ phases: [], fresh: 0, overtaken: { length: 2 } });
    expect(plan([...sent, ...sent])).toMatchObject({ fresh: 2, overtaken: { length: 2 } });
  });

  it("puts versioned events that arrive out of order into the order of their versions", () => {
    const { phases, overtaken } = plan([updated("a", 5, 3), created("a", 6), updated("a", 7, 2)]);
    expect([phases.map(outline), overtaken]).toEqual([[{ ...nothing, rows: ["a a-3"] }], []]);
  });

  it("removes an entity that is deleted in the batch that creates it", () => {
    expect(plan([created("a", 1), deleted("a", 2, 2)]).phases.map(outline)).toEqual([
      { ...nothing, removals: ["a"] },
    ]);
  });

  it("needs a second phase for an entity that returns after its deletion", () => {
    const { phases } = plan([deleted("a", 2, 2), created("a", 3, 3)], { a: live(1) });
    expect(phases.map(outline)).toEqual([
      { ...nothing, removals: ["a"] },
      { ...nothing, rows: ["a name-a"] },
    ]);
  });

  it("implies the deletion that a re-creation of a live entity shows to be lost", () => {
    const { phases } = plan([created("a", 9, 4)], { a: live(2) });
    expect(phases.map(outline)).toEqual([
      { ...nothing, removals: ["a"] },
      { ...nothing, rows: ["a name-a"] },
    ]);
    expect(phases[0]?.states.get("a")).toMatchObject({ deleted: true });
    expect(phases[0]?.implied.get("a")?.version).toBe(4);
    expect(phases[1]?.states.get("a")).toEqual(live(4, 9));
  });

  it("deletes after a hook that ran for an earlier event, which may have attached rows", () => {
    const { phases } = plan([created("a", 1), deleted("a", 2, 2)], {}, { hooks: { created: hook } });
    expect(phases.map(outline)).toEqual([
      { ...nothing, rows: ["a name-a"], hooks: ["auth.user.a.created"] },
      { ...nothing, removals: ["a"] },
    ]);
  });

  it("calls hooks in stream order, across entities", () => {
    const { phases } = plan(
      [created("b", 1), created("a", 2), updated("b", 3, 2)],
      {},
      { hooks: { created: hook, updated: hook } },
    );
    expect(phases.flatMap((phase) => outline(phase).hooks)).toEqual([
      "auth.user.b.created",
      "auth.user.a.created",
      "auth.user.b.updated",
    ]);
  });

  it("names the events before which versions are missing", () => {
    expect(
      plan([updated("a", 5, 7), updated("b", 6, 2)], { b: live(1) }).afterGap.map(({ id }) => id),
    ).toEqual(["a"]);
  });

  it("wants a snapshot for a version of an incarnation that is not known, after an inferred deletion", () => {
    const inferred = { version: 3, versioned: false, deleted: true, seq: 4 };
    const { fresh, gaps, afterGap } = plan([updated("a", 5, 5)], { a: inferred });
    expect([fresh, gaps, afterGap.length]).toEqual([
      0,
      ["a: version 5 came, and its incarnation is not known"],
      1,
    ]);
  });

  it("merges partial events, and wants a snapshot where a version between them is missing", () => {
    const model = buildModel(profileConsumer());
    const partial = eventsOf(model, [
      { id: "a", action: "renamed", seq: 2, version: 2, payload: { username: "ann" } },
      { id: "a", action: "moved", seq: 3, version: 5, payload: { city: "Bern" } },
    ]);
    const { phases, gaps } = planBatch(model, partial, new Map([["a", live(1)]]));
    expect([...(phases[0]?.upserts.get("a")?.cells ?? [])]).toEqual(expect.arrayContaining(["ann", "Bern"]));
    expect(gaps).toEqual(["a: versions between 2 and 5"]);
  });
});
