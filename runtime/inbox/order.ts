/*
 * The order guard. Two events of one entity are ordered by version where both carry one, else by
 * their place in the stream. Everything that keeps old news from overwriting new is decided here,
 * once in TypeScript and once as the same predicate in SQL; a property test holds the two together.
 */

export type Change = "create" | "update" | "delete" | "none";

/** A row of `mesh.applied`. */
export interface EntityState {
  /** Highest version known; null when no event of the entity carried one. */
  readonly version: number | null;
  /** The last applied event carried a version, so `version` is where the entity stands. */
  readonly versioned: boolean;
  readonly deleted: boolean;
  /**
   * Effective sequence of the last applied event or snapshot row. Null while there was none: then the entity was only
   * referred to, or, with a version, a snapshot for a consumer without a cache found it alive.
   */
  readonly seq: number | null;
}

/** What the guard has to know of an event. */
export interface Place {
  readonly version: number | null;
  readonly change: Change;
  /** Effective sequence: never goes back, also when the stream was recreated. */
  readonly seq: number;
}

/** True when the event is news. An entity without state has never been heard of: anything is news. */
export function isFresh(state: EntityState | undefined, event: Place): boolean {
  if (state === undefined) return true;
  if (event.version !== null && state.version !== null) {
    if (event.version <= state.version) return false;
    if (state.versioned) return true;
  }
  return isLater(event, state) && !(state.deleted && needsLife(event));
}

function isLater(event: Place, state: EntityState): boolean {
  return state.seq === null || event.seq > state.seq;
}

function needsLife({ change }: Place): boolean {
  return change === "update" || change === "none";
}

/**
 * Stale, and yet news: it tells of an entity whose deletion was inferred, by a version that is beyond what is known. Either
 * its creation is on its way, or it is of the life that ended; which, its source knows.
 */
export function lacksLife(state: EntityState | undefined, event: Place): boolean {
  if (state === undefined || state.versioned || !state.deleted || event.version === null) return false;
  return needsLife(event) && isLater(event, state) && event.version > (state.version ?? 0);
}

/** The state after a fresh event. */
export function advance(state: EntityState | undefined, event: Place): EntityState {
  const known = state?.version ?? null;
  return {
    version: event.version === null ? known : Math.max(event.version, known ?? event.version),
    versioned: event.version !== null,
    // A fresh event of any other kind proves life: of a tombstone it is fresh only as the later one.
    deleted: event.change === "delete",
    seq: Math.max(state?.seq ?? 0, event.seq),
  };
}

/** Only ever referred to. */
export function isPlaceholder({ version, deleted, seq }: EntityState): boolean {
  return version === null && seq === null && !deleted;
}

/**
 * A live entity that is created again at a later version: its deletion was missed, so what hung on
 * the former one has to go first. A placeholder is not a former life, and of one that a snapshot
 * found alive the creation itself may be what comes now.
 */
export function impliesDeletion(state: EntityState | undefined, event: Place): boolean {
  if (state === undefined || state.deleted || state.seq === null) return false;
  return event.change === "create" && event.version !== null && event.version > 1;
}

/**
 * A life that began at this version: what is known here as living was an earlier one, whose deletion was missed.
 * `impliesDeletion` for what a snapshot tells. Where the last event had no version, or the entity was only found
 * alive, there is no telling which life that was; a deletion that is made up would destroy what is rightly there.
 */
export function endsUnheard({ version, versioned, deleted, seq }: EntityState, born: number): boolean {
  return !deleted && versioned && seq !== null && version !== null && version < born;
}

/**
 * A fresh event that is not the next one of its entity: those between are on their way, or lost. Without
 * versions there is no telling.
 */
export function leavesGap(state: EntityState | undefined, event: Place): boolean {
  return event.version !== null && event.version > (state?.version ?? 0) + 1;
}

/** SQL expressions of the event's side. */
export interface PlaceSql {
  readonly version: string;
  readonly change: string;
  readonly seq: string;
}

/** `isFresh` as a predicate over an existing row of `mesh.applied` called `state`. Never null. */
export function freshSql(state: string, event: PlaceSql): string {
  return `CASE
    WHEN ${event.version} <= ${state}.version THEN false
    WHEN ${event.version} > ${state}.version AND ${state}.versioned THEN true
    ELSE ${event.seq} > coalesce(${state}.stream_seq, 0) AND NOT (${state}.deleted AND ${event.change} IN ('update', 'none'))
  END`;
}
