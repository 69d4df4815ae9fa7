import { expect, it } from "vitest";
import { METADATA_SCHEMA } from "../../generator/emit/json-schema/event.js";
import { MESH_0001 } from "../../runtime/schema/0001_mesh.js";
import { HIGHEST_VERSION, PLAUSIBLE_VERSION } from "../../runtime/values/version.js";

it("the highest version is the same in the schema of every event, in SQL and in the runtime", () => {
  expect(METADATA_SCHEMA.properties.version.maximum).toBe(HIGHEST_VERSION);
  const said = [...MESH_0001.matchAll(/version <= (\d+)/g)].map(([, digits]) => Number(digits));
  expect(said).toEqual([HIGHEST_VERSION]);
});

it("what is counted on from it, or added to it, is exact", () => {
  expect(HIGHEST_VERSION * 2).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER + 1);
  expect(PLAUSIBLE_VERSION * 2).toBeLessThanOrEqual(HIGHEST_VERSION);
});
