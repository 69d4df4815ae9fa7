import { toCell } from "../database/columns.js";
import type { ConsumerModel } from "./consumer-model.js";
import { advance, type EntityState, impliesDeletion, isFresh, lacksLife, leavesGap } from "./order.js";
import type { Incoming } from "./parse.js";

/*
 * A batch against the state it met: which events are news, and what is left to do once those of one
 * entity are merged. Pure: the database is read before and written after.
 */

/** A row to write: one cell per column of the cache; undefined leaves the column as it is. */
export interface Upsert {
  readonly id: string;
  /** Of the last event in it: rows are written in stream order, so that a freed unique value is free in time. */
  readonly seq: number;
  readonly cells: readonly unknown[];
  /** The row may be new: an event that creates, or that carries every column. */
  readonly whole: boolean;
}

/** Effects that can be written set by set: within a round no entity returns after its deletion. */
export interface Round {
  readonly states: Map<string, EntityState>;
  readonly removals: Set<string>;
  /** Removals whose own event was lost, with the event that showed it. */
  readonly implied: Map<string, Incoming>;
  readonly upserts: Map<string, Upsert>;
  /** Fresh events with a hook, in stream order. */
  readonly handled: Incoming[];
  /** The entities of `handled`. */
  readonly hooked: Set<string>;
}

export interface Folded {
  readonly rounds: readonly Round[];
  readonly fresh: number;
  readonly stale: number;
  /** Why the cache may lack something that only its source can tell. */
  readonly gaps: readonly string[];
  /** Events before which versions of their entities are missing, that may be on their way. */
  readonly early: readonly Incoming[];
}

export function foldEvents(
  model: ConsumerModel,
  events: readonly Incoming[],
  known: ReadonlyMap<string, EntityState>,
): Folded {
  const rounds: Round[] = [];
  const gaps: string[] = [];
  const early: Incoming[] = [];
  let fresh = 0;
  for (const [id, ofEntity] of groupByEntity(events)) {
    let state = known.get(id);
    let at = 0;
    for (const event of ofEntity) {
      if (!isFresh(state, event)) {
        if (!lacksLife(state, event)) continue;
        early.push(event);
        gaps.push(`${id}: version ${event.version} came, and its life is not known`);
        continue;
      }
      fresh += 1;
      if (leavesGap(state, event)) early.push(event);
      if (impliesDeletion(state, event)) {
        at = placeRemoval(rounds, at, id);
        roundAt(rounds, at).implied.set(id, event);
        // Not yet deleted for the guard's readers: the event's own state follows in the next round.
        roundAt(rounds, at).states.set(id, { ...advance(state, event), deleted: true });
      }
      if (skipsVersions(event, state))
        gaps.push(`${id}: versions between ${state?.version} and ${event.version}`);
      at =
        event.change === "delete" ? placeRemoval(rounds, at, id) : placeChange({ model, rounds, at, event });
      state = advance(state, event);
      const round = roundAt(rounds, at);
      round.states.set(id, state);
      if (event.model.definition.handler === undefined) continue;
      round.handled.push(event);
      round.hooked.add(id);
    }
  }
  for (const round of rounds) round.handled.sort((a, b) => a.seq - b.seq);
  return { rounds, fresh, stale: events.length - fresh, gaps, early };
}

/** In stream order; an entity whose events all carry versions is put in theirs, so that none is stale by accident. */
function groupByEntity(events: readonly Incoming[]): Map<string, Incoming[]> {
  const groups = new Map<string, Incoming[]>();
  for (const event of events) {
    const group = groups.get(event.id);
    if (group === undefined) groups.set(event.id, [event]);
    else group.push(event);
  }
  for (const group of groups.values()) {
    if (group.length > 1 && group.every((event) => event.version !== null)) {
      group.sort((a, b) => (a.version ?? 0) - (b.version ?? 0) || a.seq - b.seq);
    }
  }
  return groups;
}

function roundAt(rounds: Round[], at: number): Round {
  let round = rounds[at];
  while (round === undefined) {
    rounds.push({
      states: new Map(),
      removals: new Set(),
      implied: new Map(),
      upserts: new Map(),
      handled: [],
      hooked: new Set(),
    });
    round = rounds[at];
  }
  return round;
}

/** A hook that ran for an earlier event of the round may have attached rows: the deletion's cascades must come after it. */
function placeRemoval(rounds: Round[], at: number, id: string): number {
  const place = roundAt(rounds, at).hooked.has(id) ? at + 1 : at;
  const round = roundAt(rounds, place);
  round.upserts.delete(id);
  round.removals.add(id);
  return place;
}

interface Placement {
  readonly model: ConsumerModel;
  readonly rounds: Round[];
  readonly at: number;
  readonly event: Incoming;
}

function placeChange({ model, rounds, at, event }: Placement): number {
  const place = roundAt(rounds, at).removals.has(event.id) ? at + 1 : at;
  const round = roundAt(rounds, place);
  if (model.cache === undefined || event.change === "none") return place;
  const upsert = toUpsert(model, event);
  const former = round.upserts.get(event.id);
  round.upserts.set(event.id, former === undefined ? upsert : merge(former, upsert));
  return place;
}

export function toUpsert(model: ConsumerModel, event: Incoming): Upsert {
  const { carries, full, change } = event.model;
  const columns = model.cache?.columns ?? [];
  const cells = columns.map((column, place) =>
    carries[place] === true ? toCell(column, event.payload) : undefined,
  );
  return { id: event.id, seq: event.seq, cells, whole: full || change === "create" };
}

function merge(former: Upsert, later: Upsert): Upsert {
  const cells = later.cells.map((cell, place) => (cell === undefined ? former.cells[place] : cell));
  return { ...later, cells, whole: former.whole || later.whole };
}

/** A partial event after one that never came: the columns of the missing one are not known here. */
function skipsVersions(event: Incoming, state: EntityState | undefined): boolean {
  if (event.model.full || event.change !== "update") return false;
  if (state?.version == null || event.version === null || !state.versioned) return false;
  return event.version > state.version + 1;
}
