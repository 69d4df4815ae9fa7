import { expect, test } from "vitest";
import { fuzzMeshes } from "./meshes/fuzz.js";

/*
 * A share of `npm run fuzz`, which goes through 20,000. What fails here is run again with `npm run fuzz -- --from SEED --count 1`.
 */

test("no command answers a mutated mesh.yaml with a stack trace, or not at all", {
  timeout: 300_000,
}, async () => {
  const { tried, valid, findings } = await fuzzMeshes({ from: 1, count: 150, processes: 1 });
  expect(findings.map(({ seed, command, problem }) => `seed ${seed}: ${command}: ${problem}`)).toEqual([]);
  expect(tried).toBe(150);
  // Everything is asked of meshes that compile.
  expect(valid).toBeGreaterThan(15);
});
