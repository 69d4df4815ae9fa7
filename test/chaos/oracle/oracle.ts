import { checkCaches } from "./caches.js";
import { checkCascades, checkHooks } from "./cascades.js";
import { checkDeadLetters } from "./dead-letters.js";
import { checkEffects } from "./effects.js";
import { checkMissedDeletions } from "./missed-deletions.js";
import type { OracleInput, Violation } from "./violation.js";

/** Checks everything that must hold while the mesh is quiescent, read directly from the databases. */
export async function readOracle(input: OracleInput): Promise<readonly Violation[]> {
  const found = await Promise.all([
    checkCaches(input),
    checkCascades(input),
    checkHooks(input),
    checkDeadLetters(input),
    checkEffects(input),
    checkMissedDeletions(input),
  ]);
  return found.flat();
}
