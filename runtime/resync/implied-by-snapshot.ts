import type { ImpliedEvent } from "../inbox/implied-events.js";
import { type EntityState, isOnlyReferredTo } from "../inbox/order.js";
import type { SnapshotRow } from "./snapshot-rows.js";

/** Whether the row was there before its owner wrote events: no event of its creation can have been lost. */
function isWithoutBeginning(element: Readonly<Record<string, unknown>>): boolean {
  return element._version !== undefined && element._first_version === null;
}

/** Which rows are news here, as far as hooks are concerned: unknown or deleted ones, and those at a later version. */
export function findImpliedEvents(
  rows: readonly SnapshotRow[],
  known: ReadonlyMap<string, EntityState>,
): readonly ImpliedEvent[] {
  return rows.flatMap((row): ImpliedEvent[] => {
    const state = known.get(row.id);
    const { id, version, seq, element } = row;
    const unknown = state === undefined || state.deleted || isOnlyReferredTo(state);
    const newer = version !== null && state?.version != null && version > state.version;
    if (!unknown && !newer) return [];
    if (!newer && state !== undefined && (state.seq ?? 0) > seq) return [];
    if (unknown && isWithoutBeginning(element)) return [];
    return [{ id, change: unknown ? "create" : "update", version, seq, row: element }];
  });
}
