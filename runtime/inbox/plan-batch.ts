import { toCell } from "../database/columns.js";
import { fieldFilling } from "../values/field.js";
import type { ConsumerModel } from "./consumer-model.js";
import {
  advance,
  type EntityState,
  hasVersionGap,
  impliesDeletion,
  isFresh,
  isOfUnknownIncarnation,
  isOnlyReferredTo,
  lacksBeginning,
} from "./order.js";
import type { Incoming } from "./parse.js";

/*
 * Plans a batch: which events are news against what is known of their entities, and what is left to write once the
 * events of one entity are merged. Pure: the database is read before and written after.
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

/**
 * What can be written set by set: states, removals, rows, hooks, in this order. An entity that returns after its deletion,
 * or is deleted after a hook of its own ran, needs a later phase; most batches have one.
 */
export interface Phase {
  readonly states: Map<string, EntityState>;
  /** With the event of each. */
  readonly removals: Map<string, Incoming>;
  /** Removals whose own event was lost, with the event that showed it. */
  readonly implied: Map<string, Incoming>;
  readonly upserts: Map<string, Upsert>;
  /** Fresh events with a hook, in stream order. */
  readonly handled: Incoming[];
  /** The entities of `handled`. */
  readonly hooked: Set<string>;
}

/** An event without a version. */
export interface Unversioned {
  readonly event: Incoming;
  /** The first that is known of its entity, one more, or no news: a later one was applied before. */
  readonly place: "first" | "known" | "overtaken";
}

export interface BatchPlan {
  readonly phases: readonly Phase[];
  readonly fresh: number;
  /** Events that are no news: applied before, or overtaken by what was. */
  readonly overtaken: readonly Incoming[];
  /** Entities that are deleted, or created again: what was not heard of their former incarnations means nothing any more. */
  readonly ended: ReadonlySet<string>;
  /** Deletions of what a snapshot has found deleted already. */
  readonly deletedBefore: readonly Incoming[];
  /** In stream order of each entity. */
  readonly unversioned: readonly Unversioned[];
  /** Why the cache may lack something that only its source can tell. */
  readonly gaps: readonly string[];
  /** Events before which versions of their entities are missing, or creations or deletions, that may be on their way. */
  readonly afterGap: readonly Incoming[];
}

export function planBatch(
  model: ConsumerModel,
  events: readonly Incoming[],
  known: ReadonlyMap<string, EntityState>,
): BatchPlan {
  const phases: Phase[] = [];
  const gaps: string[] = [];
  const afterGap: Incoming[] = [];
  const overtaken: Incoming[] = [];
  const ended = new Set<string>();
  const deletedBefore: Incoming[] = [];
  const unversioned: Unversioned[] = [];
  const heard = new Set([...model.events.values()].map(({ change }) => change));
  let fresh = 0;
  for (const [id, ofEntity] of groupByEntity(events)) {
    let state = known.get(id);
    let at = 0;
    for (const event of ofEntity) {
      const isOutOfOrder = lacksBeginning(state, event, heard);
      if (!isFresh(state, event)) {
        if (isOutOfOrder) {
          afterGap.push(event);
          continue;
        }
        if (!isOfUnknownIncarnation(state, event)) {
          overtaken.push(event);
          if (event.version === null) unversioned.push({ event, place: "overtaken" });
          continue;
        }
        afterGap.push(event);
        gaps.push(`${id}: version ${event.version} came, and its incarnation is not known`);
        continue;
      }
      fresh += 1;
      if (event.change === "delete" || (event.change === "create" && state !== undefined)) ended.add(id);
      if (event.change === "delete" && event.version !== null && state?.deleted && !state.versioned)
        deletedBefore.push(event);
      if (event.version === null)
        unversioned.push({
          event,
          place: state === undefined || isOnlyReferredTo(state) ? "first" : "known",
        });
      if (isOutOfOrder || hasVersionGap(state, event)) afterGap.push(event);
      if (impliesDeletion(state, event)) {
        at = placeRemoval(phases, at, event);
        phaseAt(phases, at).implied.set(id, event);
        // The tombstone is superseded in the next phase.
        phaseAt(phases, at).states.set(id, { ...advance(state, event), deleted: true });
      }
      if (lacksColumns(event, state))
        gaps.push(`${id}: versions between ${state?.version} and ${event.version}`);
      at = placeEffect({ model, phases, at, event });
      state = advance(state, event);
      const phase = phaseAt(phases, at);
      phase.states.set(id, state);
      if (event.model.handler === undefined) continue;
      phase.handled.push(event);
      phase.hooked.add(id);
    }
  }
  for (const phase of phases) phase.handled.sort((a, b) => a.seq - b.seq);
  return { phases, fresh, overtaken, ended, deletedBefore, unversioned, gaps, afterGap };
}

/** In stream order; events of an entity that all carry versions are put in the order of these, so that none is stale by accident. */
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

function phaseAt(phases: Phase[], at: number): Phase {
  let phase = phases[at];
  while (phase === undefined) {
    phases.push({
      states: new Map(),
      removals: new Map(),
      implied: new Map(),
      upserts: new Map(),
      handled: [],
      hooked: new Set(),
    });
    phase = phases[at];
  }
  return phase;
}

/** A hook that ran for an earlier event of the phase may have attached rows: the deletion's cascades must come after it. */
function placeRemoval(phases: Phase[], at: number, event: Incoming): number {
  const { id } = event;
  const index = phaseAt(phases, at).hooked.has(id) ? at + 1 : at;
  const phase = phaseAt(phases, index);
  phase.upserts.delete(id);
  phase.removals.set(id, event);
  return index;
}

interface Placement {
  readonly model: ConsumerModel;
  readonly phases: Phase[];
  readonly at: number;
  readonly event: Incoming;
}

/** Puts the event's effect into the first phase that can take it, and gives that phase's index. */
function placeEffect(placement: Placement): number {
  const { change } = placement.event;
  switch (change) {
    case "delete":
      return placeRemoval(placement.phases, placement.at, placement.event);
    case "create":
    case "update":
    case "none":
      return placeChange(placement);
    default:
      return change satisfies never;
  }
}

function placeChange({ model, phases, at, event }: Placement): number {
  const index = phaseAt(phases, at).removals.has(event.id) ? at + 1 : at;
  const phase = phaseAt(phases, index);
  if (model.cache === undefined || event.change === "none") return index;
  const upsert = toUpsert(model, event);
  const former = phase.upserts.get(event.id);
  phase.upserts.set(event.id, former === undefined ? upsert : merge(former, upsert));
  return index;
}

function toUpsert(model: ConsumerModel, event: Incoming): Upsert {
  return { id: event.id, seq: event.seq, cells: cellsOf(model, event), whole: isWhole(event) };
}

export function cellsOf({ cache }: ConsumerModel, { model: { carries }, payload }: Incoming): unknown[] {
  const cells: unknown[] = [];
  if (cache === undefined) return cells;
  for (const [index, column] of cache.columns.entries())
    cells.push(carries[index] === true ? toCell(column, payload, fieldFilling(column)) : undefined);
  return cells;
}

export function isWhole({ model: { full, change } }: Incoming): boolean {
  return full || change === "create";
}

function merge(former: Upsert, later: Upsert): Upsert {
  const cells = later.cells.map((cell, index) => (cell === undefined ? former.cells[index] : cell));
  return { ...later, cells, whole: former.whole || later.whole };
}

/** A partial update after a version that never came: the columns which that one carried are not known here. */
function lacksColumns(event: Incoming, state: EntityState | undefined): boolean {
  if (event.model.full || event.change !== "update") return false;
  if (state?.version == null || event.version === null || !state.versioned) return false;
  return event.version > state.version + 1;
}
