/**
 * `@meshwright/simulator`: runs a mesh under adversarial schedules, repeatable from a seed. Separate from
 * `@meshwright/runtime`, because production loads none of it.
 */

export type { Coverage, CoverageKind, Refusals } from "./coverage.js";
export type { MeshFacts, Samples, Untold } from "./mesh.js";
export { describePlan, type Plan } from "./plan.js";
export { SERVER_SETTINGS } from "./postgres/databases.js";
export {
  type Counterexample,
  SHRINK_MS,
  type SimulateOptions,
  type Simulation,
  simulateMesh,
} from "./simulate.js";
