import type { ClientBase } from "pg";
import {
  describeDifference,
  type ExistingDifference,
  type ExistingParts,
  readDifferences,
} from "../schema/index.js";

/** The catalogue is read once in this time, however often `/readyz` is asked, in ms. */
const FRESH_MS = 30_000;

/**
 * What `/readyz` says of tables and views that exist and are no longer what mesh.yaml says of them, and of tables whose triggers do not fire.
 * Never rejects: where the catalogue cannot be read, what was known before holds.
 */
export function monitorExisting(parts: ExistingParts): (database: ClientBase) => Promise<readonly string[]> {
  const isAsked = parts.tables.length > 0 || (parts.views ?? []).length > 0;
  let known: readonly string[] = [];
  let until = 0;
  return async (database) => {
    if (!isAsked || performance.now() < until) return known;
    until = performance.now() + FRESH_MS;
    try {
      known = (await readDifferences(database, parts)).map(describe);
    } catch {
      // Asked again after the time.
    }
    return known;
  };
}

function describe(difference: ExistingDifference): string {
  const remedy =
    difference.isTrigger === true
      ? "mesh migrate puts them back, mesh verify tells what copies have missed"
      : "undo that, or say it in mesh.yaml, generate and migrate";
  return `${difference.isView === true ? "view" : "table"} ${describeDifference(difference)}: ${remedy}`;
}
