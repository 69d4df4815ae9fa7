import { describe, expect, it } from "vitest";
import { mergeByEntity, prepareFastPath } from "../../../runtime/inbox/fast-path.js";
import { createInsertThrottle } from "../../../runtime/inbox/insert-throttle.js";
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
});

const unversioned = (action: string, id: string, seq: number): StoredEvent => ({ id, action, seq });

function merge(sent: readonly StoredEvent[], choices: DefinitionChoices = {}) {
  const model = buildModel(userConsumer(choices));
  return mergeByEntity(model, eventsOf(model, sent))?.map(
    ({ id, seq, first, version, isNew }) => `${id} ${first}-${version} at ${seq}${isNew ? ", new" : ""}`,
  );
}

describe("the fast path", () => {
  it("merges the events of an entity, in the order of their last ones", () => {
    const sent = [created("a", 1), updated("b", 2, 4), updated("a", 3, 2)];
    expect(merge(sent)).toEqual(["b 4-4 at 2", "a 1-2 at 3, new"]);
  });

  it("merges events without versions in stream order", () => {
    const sent = [
      unversioned("created", "a", 1),
      unversioned("updated", "b", 2),
      unversioned("updated", "a", 3),
    ];
    expect(merge(sent)).toEqual(["b null-null at 2", "a null-null at 3, new"]);
  });

  it.each<[string, readonly StoredEvent[], DefinitionChoices?]>([
    ["an event without a version beside one with it", [unversioned("updated", "a", 1), created("b", 2)]],
    [
      "a creation without a version of what lives, whose deletion is missing",
      [unversioned("updated", "a", 1), unversioned("created", "a", 2)],
    ],
    ["a deletion without a version", [unversioned("deleted", "a", 1)]],
    ["a deletion, which has cascades", [{ id: "a", action: "deleted", seq: 1, version: 2 }]],
    ["a re-creation, which may imply a deletion", [created("a", 1, 5)]],
    ["a redelivery within the batch", [updated("a", 1, 2), updated("a", 2, 2)]],
    ["events out of order", [updated("a", 1, 3), updated("a", 2, 2)]],
    ["a version gap, where order matters", [updated("a", 1, 2), updated("a", 2, 4)]],
    ["an event with a hook", [created("a", 1)], { hooks: { created: async () => undefined } }],
  ])("does not take %s", (_, sent, choices) => {
    expect(merge(sent, choices)).toBeUndefined();
  });

  it("does not take partial events", () => {
    const model = buildModel(profileConsumer());
    expect(
      mergeByEntity(model, eventsOf(model, [{ id: "a", action: "renamed", seq: 1, version: 2 }])),
    ).toBeUndefined();
  });

  it("inserts optimistically what is created, unless the throttle says no", () => {
    const model = buildModel(userConsumer());
    const insertThrottle = createInsertThrottle();
    const prepare = (sent: readonly StoredEvent[]) =>
      prepareFastPath({ model, insertThrottle }, eventsOf(model, sent));
    expect(prepare([created("a", 1), updated("b", 2, 2)])).toMatchObject({
      entities: 2,
      created: 1,
    });
    expect(prepare([created("a", 1)])?.optimistic).toBeDefined();
    expect(prepare([updated("b", 2, 2)])?.optimistic).toBeUndefined();
    insertThrottle.conflicted();
    expect(prepare([created("a", 1)])?.optimistic).toBeUndefined();
  });

  it("takes events without versions unless the throttle says no", () => {
    const model = buildModel(userConsumer());
    const insertThrottle = createInsertThrottle();
    const events = eventsOf(model, [unversioned("updated", "a", 1)]);
    expect(prepareFastPath({ model }, events)).toBeUndefined();
    expect(prepareFastPath({ model, insertThrottle }, events)).toMatchObject({ created: 0, entities: 1 });
    insertThrottle.conflicted();
    expect(prepareFastPath({ model, insertThrottle }, events)).toBeUndefined();
  });
});
