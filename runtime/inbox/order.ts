import type { Change } from "../vocabulary.js";

/*
 * The order guard: when an event is news, and what is known of its entity afterwards. Two events of one entity are ordered
 * by version where both carry one, else by their effective sequence. What keeps an old event from overwriting newer state
 * is decided here, once in TypeScript and once as the same predicate in SQL; a property test holds the two together. The
 * rows of a snapshot have rules of their own, in `runtime/resync/merge-statements.ts` and `runtime/resync/existence.ts`.
 */

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

/** What the guard needs of an event. */
export interface OrderedEvent {
  readonly version: number | null;
  readonly change: Change;
  /** Effective sequence (sequence offset + message sequence): never goes back, also when the stream was recreated. */
  readonly seq: number;
}

/**
 * True when the event is news. Of an entity without state nothing is known: anything is news. Here a redelivered message
 * that carries a version is recognised: its version is not above the one in `mesh.applied`, which was committed with its
 * effects. One without a version is recognised by `dropDuplicates`.
 */
export function isFresh(state: EntityState | undefined, event: OrderedEvent): boolean {
  if (state === undefined) return true;
  if (event.version !== null && state.version !== null) {
    if (event.version <= state.version) return false;
    if (state.versioned) return true;
  }
  return isLater(event, state) && !(state.deleted && needsLiveEntity(event));
}

function isLater(event: OrderedEvent, state: EntityState): boolean {
  return state.seq === null || event.seq > state.seq;
}

function needsLiveEntity({ change }: OrderedEvent): boolean {
  return change === "update" || change === "none";
}

/**
 * Stale, and yet not old: an update beyond the known version, of an entity whose deletion was inferred. Either its
 * re-creation is on its way, or it belongs to the incarnation that ended; only its source knows which.
 */
export function isOfUnknownIncarnation(state: EntityState | undefined, event: OrderedEvent): boolean {
  if (state === undefined || state.versioned || !state.deleted || event.version === null) return false;
  return needsLiveEntity(event) && isLater(event, state) && event.version > (state.version ?? 0);
}

/** The state after a fresh event. */
export function advance(state: EntityState | undefined, event: OrderedEvent): EntityState {
  const known = state?.version ?? null;
  return {
    version: event.version === null ? known : Math.max(event.version, known ?? event.version),
    versioned: event.version !== null,
    // Any other fresh event proves that the entity lives: after a tombstone it is fresh only when it is later.
    deleted: event.change === "delete",
    seq: Math.max(state?.seq ?? 0, event.seq),
  };
}

/** Rows here refer to it, and nothing else is known: no event and no snapshot ever had it. */
export function isOnlyReferredTo({ version, deleted, seq }: EntityState): boolean {
  return version === null && seq === null && !deleted;
}

/**
 * A live entity is created again at a later version: its deletion was missed, so the rows that refer to the former
 * incarnation go first. An entity of which no event was applied has no former incarnation here: of one that a snapshot
 * found alive, this may be the very creation.
 */
export function impliesDeletion(state: EntityState | undefined, event: OrderedEvent): boolean {
  if (state === undefined || state.deleted || state.seq === null) return false;
  return event.change === "create" && event.version !== null && event.version > 1;
}

/**
 * `impliesDeletion` for a snapshot, which says that the present incarnation began at `firstVersion`: what is known here as
 * alive was an earlier one, whose deletion was missed. Where the last event had no version, or the entity was only found
 * alive, nobody knows which incarnation that was; then no deletion is inferred, for it would destroy rows that are right.
 */
export function missedDeletion(
  { version, versioned, deleted, seq }: EntityState,
  firstVersion: number,
): boolean {
  return !deleted && versioned && seq !== null && version !== null && version < firstVersion;
}

/**
 * A fresh event is not the next version of its entity: those between are on their way, or lost. Without versions see
 * `lacksBeginning`.
 */
export function hasVersionGap(state: EntityState | undefined, event: OrderedEvent): boolean {
  return event.version !== null && event.version > (state?.version ?? 0) + 1;
}

/**
 * The gap that shows without versions: an update of what is not known, or was deleted before it, whose creation is on its way or lost;
 * a creation of what lives, whose deletion is. `heard`: the changes of which events are heard.
 */
export function lacksBeginning(
  state: EntityState | undefined,
  event: OrderedEvent,
  heard: ReadonlySet<Change>,
): boolean {
  if (event.version !== null) return false;
  const isKnown = state !== undefined && !isOnlyReferredTo(state);
  switch (event.change) {
    case "create":
      return isKnown && !state.deleted && isLater(event, state) && heard.has("delete");
    case "update":
    case "none":
      return (!isKnown || (state.deleted && isLater(event, state))) && heard.has("create");
    case "delete":
      return false;
    default:
      return event.change satisfies never;
  }
}

/** SQL expressions of the event's side. */
export interface OrderedEventSql {
  readonly version: string;
  readonly change: string;
  readonly seq: string;
}

/** `isFresh` as a predicate over an existing row of `mesh.applied` called `state`. Never null. */
export function freshSql(state: string, event: OrderedEventSql): string {
  return `CASE
    WHEN ${event.version} <= ${state}.version THEN false
    WHEN ${event.version} > ${state}.version AND ${state}.versioned THEN true
    ELSE ${event.seq} > coalesce(${state}.stream_seq, 0) AND NOT (${state}.deleted AND ${event.change} IN ('update', 'none'))
  END`;
}
