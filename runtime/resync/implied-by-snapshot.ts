import type { ImpliedEvent } from "../inbox/implied-events.js";
import { type EntityState, isOnlyReferredTo } from "../inbox/order.js";
import type { SnapshotRow } from "./snapshot-rows.js";

/** Whether the row was there before its owner wrote events: no event of its creation can have been lost. */
function isWithoutBeginning(element: Readonly<Record<string, unknown>>): boolean {
  return element._version !== undefined && element._first_version === null;
}

/** The row's present incarnation began at or before this version. */
function beganBy(element: Readonly<Record<string, unknown>>, version: number | undefined): boolean {
  const first = element._first_version;
  return version !== undefined && typeof first === "number" && first <= version;
}

/**
 * Which rows are news here, as far as hooks are concerned: unknown or deleted ones, those at a later version, and those
 * whose creation nobody told of: `unheard` has the versions of the events that came first.
 */
export function findImpliedEvents(
  rows: readonly SnapshotRow[],
  known: ReadonlyMap<string, EntityState>,
  unheard: ReadonlyMap<string, number> = new Map(),
): readonly ImpliedEvent[] {
  return rows.flatMap((row): ImpliedEvent[] => {
    const state = known.get(row.id);
    const { id, version, seq, element } = row;
    const unknown = state === undefined || state.deleted || isOnlyReferredTo(state);
    if (!unknown && beganBy(element, unheard.get(id)))
      return [{ id, change: "create", version, seq, row: element }];
    const newer = version !== null && state?.version != null && version > state.version;
    if (!unknown && !newer) return [];
    if (!newer && state !== undefined && (state.seq ?? 0) > seq) return [];
    if (unknown && isWithoutBeginning(element)) return [];
    return [{ id, change: unknown ? "create" : "update", version, seq, row: element }];
  });
}
