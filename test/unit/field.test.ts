import { expect, test } from "vitest";
import { buildModel } from "../../runtime/inbox/consumer-model.js";
import { toRows } from "../../runtime/resync/snapshot-rows.js";
import { fieldOf } from "../../runtime/values/field.js";

const table = {
  name: "copies",
  key: "id",
  columns: [
    { name: "id", type: "text" },
    { name: "constructor", type: "text", nullable: true },
  ],
} as const;

test("a field that an object inherits is not there", () => {
  expect(fieldOf({}, "constructor")).toBeUndefined();
  expect(fieldOf(JSON.parse('{"toString":null}'), "toString")).toBeNull();
  expect(fieldOf(JSON.parse('{"valueOf":{"a":1}}'), "valueOf")).toEqual({ a: 1 });
});

test("a row of a snapshot that leaves out its constructor has none", () => {
  const { cache } = buildModel({ cache: table, events: [] } as never);
  if (cache === undefined) throw new Error("a model of a cache has one");
  const rows = toRows(cache, [{ id: "a" }, { id: "b", constructor: "c" }], { before: 0, seq: 1 });
  expect(rows.fit.map(({ cells }) => cells)).toEqual([[null], ["c"]]);
});
