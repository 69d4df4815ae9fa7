import type { ConsumerModel } from "../inbox/consumer-model.js";
import { callHandlers } from "../inbox/handlers.js";
import { hookedEvent, toImpliedEvent } from "../inbox/implied-events.js";
import type { Incoming } from "../inbox/parse.js";
import { readTold, rewriteTold, type Told, toldBySnapshot } from "../inbox/told.js";
import { readUnheard, rewriteUnheard, type Unheard } from "../inbox/unheard.js";
import { noteExisting, toExisting } from "./existence.js";
import {
  findImpliedEvents,
  unheardAfter,
  unheardCreations,
  waitsForDeletion,
} from "./implied-by-snapshot.js";
import { announceEnded, endFormerIncarnations, lockAll } from "./incarnations.js";
import { splitArray } from "./json-array.js";
import { beginChunk, type Chunk, mergeChunk, prepareChunk } from "./merge.js";
import { type SnapshotRow, toRows } from "./snapshot-rows.js";
import { inParts, type Outcome, type Run, setAsideRows } from "./snapshot-run.js";
import { openSource, SnapshotFailed, type Source } from "./snapshot-source.js";
import type { Trusted } from "./source-trust.js";
import { readElement, type UnfitRow } from "./unfit-rows.js";

/*
 * Reads a source and merges it, chunk by chunk: while the database merges one chunk, the next is read and checked.
 */

/** Elements per chunk, and so per transaction. */
export const CHUNK_ROWS = 3_000;

export interface Merged extends Trusted {
  readonly rows: number;
  readonly written: number;
  readonly failed: number;
}

/** Reads on while the database merges: two chunks in memory, never more. `begun`: rows that the source has begun to send. */
export async function mergeSource(run: Run, begun?: Source): Promise<Merged> {
  const { sync } = run.model.definition;
  if (sync === undefined) throw new SnapshotFailed("nothing to take a snapshot of");
  // An owner of ours tells versions, and reads its rows by their key: none twice.
  const total = {
    rows: 0,
    written: 0,
    failed: 0,
    unversioned: false,
    highest: undefined as number | undefined,
  };
  let merging: Promise<Outcome> = Promise.resolve({ done: 0, failed: 0 });
  let gathered: unknown[] = [];
  const settle = async () => {
    const { done, failed } = await merging;
    total.written += done;
    total.failed += failed;
  };
  const flush = async () => {
    // While the database is at work on the chunk before: what it waits for afterwards is ready.
    const write = prepareWork(run, gathered, total.rows);
    total.rows += gathered.length;
    total.unversioned ||= gathered.some((element) => readElement(element).fields?._version === undefined);
    gathered = [];
    await settle();
    merging = write();
    // Awaited by the next flush; until then a failure must not count as unhandled.
    merging.catch(() => undefined);
  };
  try {
    const onHighest = (version: number | undefined) => {
      total.highest = version;
    };
    const asked = run.trustSource === true ? { onHighest } : {};
    const source = begun ?? (await openSource({ sync, env: run.env, signal: run.signal, ...asked }));
    for await (const elements of splitArray(source.bytes, run.model.cache?.json)) {
      gathered.push(...elements);
      if (gathered.length >= CHUNK_ROWS) await flush();
    }
    await flush();
  } catch (error) {
    // The connection is still at work on the chunk before.
    await merging.catch(() => undefined);
    throw error;
  }
  await settle();
  return total;
}

/** Converts and checks the elements; what is left to do needs the database. */
function prepareWork(run: Run, elements: readonly unknown[], before: number): () => Promise<Outcome> {
  const { cache, definition, scope } = run.model;
  if (cache === undefined) {
    const key = definition.sync?.key;
    if (key === undefined) throw new SnapshotFailed("neither a cache nor a key to take a snapshot by");
    const existing = toExisting(key, elements, before);
    return () => noteExisting(run, existing);
  }
  const { fit, unfit } = toRows(cache, elements, { before, seq: run.seq });
  const chunk = prepareChunk(cache, scope, fit);
  return () => mergePrepared(run, chunk, unfit);
}

async function mergePrepared(run: Run, whole: Chunk, unfit: readonly UnfitRow[]): Promise<Outcome> {
  const { client, model } = run;
  const { rows, cache } = whole;
  await setAsideRows(run, unfit);
  if (rows.length === 0) return { done: 0, failed: 0 };
  const hooked = hasHookOnRows(model);
  let ended = 0;
  const outcome = await inParts(run, {
    items: rows,
    work: async (part) => {
      const novelty = await beginChunk(client, model, part);
      const former = await endFormerIncarnations(run, part);
      const isLocked = hooked || former !== undefined;
      ended += former ?? 0;
      const lost = hooked ? await lostEvents(run, part) : [];
      // A merge that is taken back must leave what was done, and the states that hooks were decided by locked: else
      // another replica applies the same events, hooks included, before it is merged again.
      if (isLocked) await client.query("SAVEPOINT merge");
      const chunk = part === rows ? whole : prepareChunk(cache, model.scope, part);
      const written = await mergeChunk(run, { ...chunk, novelty: isLocked ? "known" : novelty });
      await callHandlers(client, run.handlers, lost);
      return written;
    },
  });
  announceEnded(run, ended);
  return outcome;
}

/** Whether a row may be news to a hook, or overtakes an event that is. */
function hasHookOnRows({ events }: ConsumerModel): boolean {
  return [...events.values()].some(({ change, handler }) => handler !== undefined && change !== "delete");
}

/** All are locked: an event of one that another replica applies meanwhile would run the same hook. */
async function lostEvents(run: Run, rows: readonly SnapshotRow[]): Promise<readonly Incoming[]> {
  const { model, client, logger } = run;
  const ids = rows.map((row) => row.id);
  const known = await lockAll(client, model.scope, ids);
  const unheard = await readUnheard(client, model.scope, ids);
  const hasCreations = hookedEvent(model, "create") !== undefined;
  const unversioned = rows.filter(({ version }) => version === null).map(({ id }) => id);
  const told = unversioned.length === 0 ? new Map() : await readTold(client, model.scope, unversioned);
  const lost: Incoming[] = [];
  const changed = new Map<string, readonly Unheard[]>();
  const newlyTold = new Map<string, Told>();
  for (const finding of findImpliedEvents(rows, known, unheardCreations(model, unheard), told)) {
    const former = unheard.get(finding.id) ?? [];
    const isDue = finding.isTold && !waitsForDeletion(model, finding, former);
    const event = isDue ? toImpliedEvent(model, finding, finding.again ? undefined : logger) : undefined;
    if (event !== undefined) lost.push(event);
    const { id, change, version } = finding;
    if (version === null && change === "create" && hasCreations)
      newlyTold.set(id, toldBySnapshot(told.get(id), { change, isTold: event !== undefined }));
    const left = unheardAfter(model, finding, { told: event?.model, former });
    if (left.length !== former.length || left.some((note, at) => note !== former[at]))
      changed.set(finding.id, left);
  }
  await rewriteUnheard(client, model.scope, changed);
  await rewriteTold(client, model.scope, newlyTold);
  return lost;
}
