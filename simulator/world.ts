import { parkedValue } from "../runtime/inbox/unique-conflict.js";
import type { Adversary, SimulatedServer } from "./broker/index.js";
import { compareCache } from "./caches.js";
import { applyFault } from "./faults.js";
import type { History, Recorder } from "./history.js";
import { type Copy, copiesOf, type OwnedTable, type SimulatedMesh } from "./mesh.js";
import { isLossy, type Plan } from "./plan.js";
import type { Backends } from "./postgres/backends.js";
import type { DatabaseNetwork } from "./postgres/socket.js";
import type { Life } from "./process.js";
import { whatIsLeft } from "./quiescent.js";
import { createRandom, type Random } from "./random.js";
import { type Cast, createCast } from "./replica-slots.js";
import { type Actor, type Schedule, settle, type TraceLine } from "./schedule.js";
import { simulatedFetch } from "./source.js";
import { beginTime, type VirtualTime } from "./time.js";
import { runWriter } from "./writer.js";

/*
 * A whole mesh in one process: services, writers, broker and network, on one clock and one schedule. Faults
 * happen while the writers write; then all is mended, and what is left to do is done.
 */

export interface World {
  readonly plan: Plan;
  readonly mesh: SimulatedMesh;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly time: VirtualTime;
  readonly server: SimulatedServer;
  readonly adversary: Adversary;
  readonly databaseNetwork: DatabaseNetwork;
  /** Processes that run, frozen ones included. */
  lives(): readonly Life[];
  /** What becomes of the next reading of a source. */
  sourceFate(): "whole" | "fails" | "breaks" | "ends";
  /** Each call fails twice at the most. */
  hookFails(call: string): boolean;
  calledBefore(table: string, key: string): void;
  deletedByHand(table: OwnedTable, key: string): void;
  readonly history: Recorder;
  /** Something for the trace that is no step. */
  note(actor: Pick<Actor, "name">, what: string): void;
  /** The schedule has failed, whatever else comes of it. */
  fail(reason: string): void;
}

/** What is known once all is quiet, for the oracle. */
export interface Ending {
  readonly world: Pick<World, "plan" | "mesh" | "server">;
  readonly trace: readonly TraceLine[];
  readonly steps: number;
  readonly virtualMs: number;
  readonly failures: readonly string[];
  readonly called: ReadonlySet<string>;
  readonly deletedByHand: ReadonlySet<string>;
  readonly history: History;
  /** Subjects of messages that nobody can read. */
  readonly poison: readonly string[];
  /** Faults ended and all is done; else what is still to do. */
  readonly unquiet: string | undefined;
}

export interface Stage {
  readonly mesh: SimulatedMesh;
  readonly backends: Backends;
}

/** Plays one plan. The databases must be empty; they are left as the schedule left them. */
export async function play(stage: Stage, plan: Plan): Promise<Ending> {
  const random = createRandom(plan.schedule);
  const time = beginTime(random);
  const actualFetch = globalThis.fetch;
  try {
    const cast = createCast(stage, plan, { random, time });
    globalThis.fetch = simulatedFetch(cast.world, actualFetch);
    return await perform(cast);
  } finally {
    globalThis.fetch = actualFetch;
    time.end();
  }
}

/** Writers and faults together take no longer than this; the faults that are left then are left out. */
const LONGEST_ACT_STEPS = 3_000;
/** Of virtual time: longer than any back-off, ack wait or period in here, several times over. */
const QUIET_WITHIN_MS = 300_000;
const QUIET_WITHIN_STEPS = 30_000;

async function perform(cast: Cast): Promise<Ending> {
  const { world, troubles } = cast;
  const { schedule, plan } = world;
  cast.startAll();
  let writing = true;
  const written = plan.writers.map((writes, place) => runWriter(world, `writer-${place + 1}`, writes));
  void Promise.all(written).then(() => {
    writing = false;
  });
  const faults = [...plan.faults].sort((a, b) => a.at - b.at);
  while (troubles.coming > 0 || (schedule.steps < LONGEST_ACT_STEPS && (writing || faults.length > 0))) {
    const due = faults[0] !== undefined && faults[0].at <= schedule.steps ? faults.shift() : undefined;
    if (due !== undefined) await applyFault(cast, due);
    else if (!(await schedule.turn())) break;
  }
  await cast.mend();
  const mended = world.time.elapsed();
  const last = schedule.steps + QUIET_WITHIN_STEPS;
  let unquiet: string | undefined = "everything";
  let compared = false;
  let lookedAt = Number.NEGATIVE_INFINITY;
  while (world.time.elapsed() - mended < QUIET_WITHIN_MS && schedule.steps < last && unquiet !== undefined) {
    if (!(await schedule.turn())) break;
    if (schedule.busy() || world.time.elapsed() - lookedAt < 1_000) continue;
    lookedAt = world.time.elapsed();
    const left = writing ? { what: "writers write", arrived: false } : await whatIsLeft(cast, mended);
    unquiet = left?.what;
    if (left?.arrived === false) continue;
    if (!compared) await compareBeforeSnapshots(cast);
    compared = true;
    if (left !== undefined && !plan.periodic) askForSnapshots(cast);
  }
  const ending = {
    world,
    trace: cast.trace,
    steps: schedule.steps,
    virtualMs: world.time.elapsed(),
    failures: cast.failures,
    called: cast.called,
    deletedByHand: cast.byHand,
    history: world.history,
    poison: troubles.poison,
    unquiet,
  };
  cast.endAll();
  await schedule.tidied();
  await settle();
  return ending;
}

/**
 * Where no message was lost, events alone make each copy what it should be. Asked before the last snapshots are taken: they
 * would mend what a consumer got wrong, as they do in production, an hour later.
 */
async function compareBeforeSnapshots({ world }: Cast): Promise<void> {
  if (isLossy(world.plan)) return;
  for (const copy of copiesOf(world.mesh)) {
    const found = await compareCache(copy);
    // A name that two claim is with neither until the next event, or a snapshot, of the one that gave way.
    const parked = found.some((line) => line.includes(parkedValue("")));
    if (found.length === 0 || parked || (await wantsSnapshot(copy))) continue;
    for (const line of found) world.fail(`before a snapshot, ${line}`);
  }
}

/** Its consumer knows that something is missing, and is about to ask. */
async function wantsSnapshot({ service, consumer }: Copy): Promise<boolean> {
  const wanted = await service.database.query(
    "SELECT FROM mesh.subscription WHERE durable = $1 AND starts_with(snapshot_error, 'wanted')",
    [consumer.durable],
  );
  return wanted.length > 0;
}

function askForSnapshots({ world }: Cast): void {
  for (const life of world.lives())
    for (const { durable } of life.service.definition.consumers) void life.parts()?.resync(durable);
}
