import type { ClientBase } from "pg";
import { describeDifference, type ExistingParts, hasExisting, readDifferences } from "../schema/index.js";

/** The catalogue is read once in this time, however often `/readyz` is asked, in ms. */
const FRESH_MS = 30_000;

/**
 * What `/readyz` says of tables and views that exist and are no longer what mesh.yaml says of them; none where the service names none.
 * Never rejects: where the catalogue cannot be read, what was known before holds.
 */
export function monitorExisting(parts: ExistingParts): (database: ClientBase) => Promise<readonly string[]> {
  const isAsked = hasExisting(parts);
  let known: readonly string[] = [];
  let until = 0;
  return async (database) => {
    if (!isAsked || performance.now() < until) return known;
    until = performance.now() + FRESH_MS;
    try {
      const differences = await readDifferences(database, parts);
      known = differences.map(
        (one) =>
          `${one.isView === true ? "view" : "table"} ${describeDifference(one)}: undo that, or say it in mesh.yaml, generate and migrate`,
      );
    } catch {
      // Asked again after the time.
    }
    return known;
  };
}
