import { expect, it } from "vitest";
import type { EntityState } from "../../../runtime/inbox/order.js";
import { findImpliedEvents } from "../../../runtime/resync/implied-by-snapshot.js";

const row = (version: number | null) => ({
  id: "a",
  seq: 100,
  cells: [],
  whole: true,
  version,
  firstVersion: null,
  outside: false,
  element: { user_id: "a" },
  ordinal: 1,
});
const known: EntityState = { version: 4, versioned: true, deleted: false, seq: 50 };

it.each<[string, EntityState | undefined, number | null, string[]]>([
  ["an unknown entity is a lost creation", undefined, 3, ["create 3"]],
  [
    "so is one that rows here only refer to",
    { version: null, versioned: false, deleted: false, seq: null },
    3,
    ["create 3"],
  ],
  ["so is one that was deleted here before", { ...known, deleted: true }, null, ["create null"]],
  ["one that was deleted here after is not", { ...known, deleted: true, seq: 101 }, null, []],
  ["a later version is a lost update", known, 5, ["update 5"]],
  ["the known version is no finding", known, 4, []],
  ["nor is a row without a version", known, null, []],
])("hooks of lost events: %s", (_, state, version, expected) => {
  const states = new Map(state === undefined ? [] : [["a", state]]);
  expect(findImpliedEvents([row(version)], states).map((one) => `${one.change} ${one.version}`)).toEqual(
    expected,
  );
});
