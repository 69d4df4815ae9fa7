import { checkCaches } from "./caches.js";
import { checkCascades, checkHooks } from "./cascades.js";
import { checkEffects } from "./effects.js";
import { checkLetters } from "./letters.js";
import { checkLives } from "./lives.js";
import type { Looking, Violation } from "./violation.js";

/** Everything that must hold while the mesh is at rest, read straight from the databases. */
export async function readOracle(looking: Looking): Promise<readonly Violation[]> {
  const found = await Promise.all([
    checkCaches(looking),
    checkCascades(looking),
    checkHooks(looking),
    checkLetters(looking),
    checkEffects(looking),
    checkLives(looking),
  ]);
  return found.flat();
}
