import type { ConsumerModel, EventModel } from "../inbox/consumer-model.js";
import { canBeMade, type ImpliedEvent } from "../inbox/implied-events.js";
import { type EntityState, isOnlyReferredTo } from "../inbox/order.js";
import type { Told } from "../inbox/told.js";
import { covers, hookedActions, type Unheard } from "../inbox/unheard.js";
import type { SnapshotRow } from "./snapshot-rows.js";

/*
 * What a snapshot's rows have to say to hooks, and of which events hooks have still to hear afterwards. Pure.
 */

/** A row that is news here. */
export interface Finding extends ImpliedEvent {
  /** Hooks have heard of versions up to this one, whatever this snapshot tells them. */
  readonly after: number;
  /** The snapshot tells of it what its event would have told. False of a row from before its owner wrote events: its creation has none. */
  readonly isTold: boolean;
  /** An earlier snapshot found the row, and could not make its creation, or a later event came first. */
  readonly again?: true;
}

type Known = ReadonlyMap<string, EntityState>;
type UnheardByEntity = ReadonlyMap<string, readonly Unheard[]>;

/** Whether the row was there before its owner wrote events: no event of its creation can have been lost. */
function isWithoutBeginning(element: Readonly<Record<string, unknown>>): boolean {
  return element._version !== undefined && element._first_version === null;
}

function firstVersionIn({ _first_version: first }: Readonly<Record<string, unknown>>): number | undefined {
  return typeof first === "number" ? first : undefined;
}

/** Which rows are news here, as far as hooks are concerned: unknown or deleted ones, those at a later version, and unheard creations. */
export function findImpliedEvents(
  rows: readonly SnapshotRow[],
  known: Known,
  unheardCreations: UnheardByEntity = new Map(),
  told: ReadonlyMap<string, Told> = new Map(),
): readonly Finding[] {
  return rows.flatMap((row): Finding[] => {
    const state = known.get(row.id);
    const { id, version, seq, element } = row;
    const implied = { id, version, seq, row: element };
    const first = firstVersionIn(element);
    const before = (first ?? 1) - 1;
    const unknown = state === undefined || state.deleted || isOnlyReferredTo(state);
    const isUnheard =
      version === null
        ? told.get(id)?.creationUnheard
        : first !== undefined && unheardCreations.get(id)?.some((note) => covers(note, first));
    if (!unknown && isUnheard === true)
      return [{ ...implied, change: "create", after: before, isTold: true, again: true }];
    const newer = version !== null && state?.version != null && version > state.version;
    if (!unknown && !newer) return [];
    if (!newer && state !== undefined && (state.seq ?? 0) > seq) return [];
    if (unknown)
      return [{ ...implied, change: "create", after: before, isTold: !isWithoutBeginning(element) }];
    return [{ ...implied, change: "update", after: state?.version ?? 0, isTold: true }];
  });
}

/** The notes that say of which creations hooks have not heard. */
export function unheardCreations(model: ConsumerModel, unheard: UnheardByEntity): UnheardByEntity {
  const creations = hookedActions(model, ({ change }) => change === "create");
  return new Map(
    [...unheard].map(([id, notes]) => [
      id,
      notes.filter(({ actions }) => actions.some((action) => creations.includes(action))),
    ]),
  );
}

/**
 * The deletion of the row's former incarnation is found, and could not be made. Its hook must not run after the hook of this
 * creation, which therefore waits for its own event, or for the next snapshot.
 */
export function waitsForDeletion(
  model: ConsumerModel,
  { change, after, again }: Finding,
  former: readonly Unheard[],
): boolean {
  const deletions = hookedActions(model, (event) => event.change === "delete");
  return (
    change === "create" &&
    again !== true &&
    former.some(({ version, actions }) => version === after && actions.some((one) => deletions.includes(one)))
  );
}

/** What is unheard of the entity once the hook of `told` was called; undefined: no hook was, since its event could not be made. */
export function unheardAfter(
  model: ConsumerModel,
  finding: Finding,
  { told, former }: { readonly told: EventModel | undefined; readonly former: readonly Unheard[] },
): readonly Unheard[] {
  const { id, change, after, version, again } = finding;
  if (again === true)
    return told === undefined
      ? former.map((note) => narrow(note, after))
      : former.flatMap((note) => tellWhole(model, finding, { note, first: after + 1 }));
  const kept = change === "create" ? former.filter((note) => note.version === after) : former;
  const actions = hookedActions(model, (event) => isLeft(model, finding, { event, told }));
  const hasCreation = hookedActions(
    model,
    (event) => event.change === "create" && actions.includes(event.definition.action),
  );
  const from = change === "create" && hasCreation.length === 0 ? after + 1 : after;
  if (version === null || actions.length === 0 || from >= version) return kept;
  return [...kept, { id, after: from, version, actions }];
}

/**
 * Of the events that the snapshot overtook. A row that is told whole answers all updates that it could make; one of several kinds of
 * update, its own.
 */
function isLeft(
  model: ConsumerModel,
  finding: Finding,
  { event, told }: { readonly event: EventModel; readonly told: EventModel | undefined },
): boolean {
  const { change, isTold } = finding;
  switch (event.change) {
    case "create":
      return change === "create" && isTold && told === undefined;
    case "update":
      if (told === undefined) return true;
      return change === "update" ? event !== told : !canBeMade(model, event, finding);
    case "none":
      return true;
    case "delete":
      return false;
    default:
      return event.change satisfies never;
  }
}

/** Versions before the present incarnation's belong to a former one, whose end was told. */
function narrow(note: Unheard, after: number): Unheard {
  return covers(note, after + 1) && note.after < after ? { ...note, after } : note;
}

/** The creation at version `first` is told, and with it the row as it is now. */
function tellWhole(
  model: ConsumerModel,
  finding: Finding,
  { note, first }: { readonly note: Unheard; readonly first: number },
): readonly Unheard[] {
  const others = hookedActions(
    model,
    (event) => event.change === "none" || (event.change === "update" && !canBeMade(model, event, finding)),
  );
  const actions = note.actions.filter((action) => others.includes(action));
  const after = Math.max(note.after, first);
  return actions.length > 0 && after < note.version ? [{ ...note, after, actions }] : [];
}
