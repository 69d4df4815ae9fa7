import { placeholderValue } from "@meshwright/runtime/simulation";
import { writeEarlierRows } from "./earlier-rows.js";
import { applyFault } from "./faults.js";
import { createHarness, type Harness } from "./harness.js";
import { type Copy, copiesOf, isSynced, type SimulatedMesh } from "./mesh.js";
import { compareCopy } from "./oracle.js";
import { isLossy, type Plan } from "./plan.js";
import { findPendingWork } from "./quiescent.js";
import { createRandom } from "./random.js";
import { settle } from "./schedule.js";
import { simulatedFetch } from "./simulated-fetch.js";
import { beginTime } from "./time.js";
import type { Outcome, Testbed } from "./world.js";
import { runWriter } from "./writer.js";

/*
 * One plan from its start to a quiescent mesh. Faults strike while the writers write; then all faults end, and the mesh
 * gets time to finish what is pending.
 */

/** Runs one plan. The databases must be empty; they are left as the plan leaves them, for the oracle to read. */
export async function runPlan(testbed: Testbed, plan: Plan): Promise<Outcome> {
  const random = createRandom(plan.schedule);
  const time = beginTime(random);
  const actualFetch = globalThis.fetch;
  try {
    const harness = createHarness(testbed, plan, { random, time });
    globalThis.fetch = simulatedFetch(harness.world, actualFetch);
    return await run(harness);
  } finally {
    globalThis.fetch = actualFetch;
    time.end();
  }
}

async function run(harness: Harness): Promise<Outcome> {
  const { world, activeFaults } = harness;
  await writeEarlierRows(world.mesh);
  harness.startAll();
  const isWriting = startWriters(harness);
  await writeUnderFaults(harness, isWriting);
  harness.endFaults();
  const unfinished = await awaitQuiescence(harness, isWriting);
  const outcome = {
    world,
    trace: harness.trace,
    steps: world.schedule.steps,
    virtualMs: world.time.elapsed(),
    failures: harness.failures,
    hookCalls: harness.hookCalls,
    handled: harness.handled,
    published: harness.published,
    writerDeletions: harness.writerDeletions,
    history: world.history,
    poison: activeFaults.poison,
    unfinished,
  };
  harness.killAll();
  await world.schedule.heldEnded();
  await settle();
  return outcome;
}

/** Gives a function that says whether one of them is still writing. */
function startWriters({ world }: Harness): () => boolean {
  let writing = true;
  const writers = world.plan.writers.map((writes, index) => runWriter(world, `writer-${index + 1}`, writes));
  void Promise.all(writers).then(() => {
    writing = false;
  });
  return () => writing;
}

/** In steps. Faults that would come later than this are left out. */
const MAX_FAULT_PHASE_STEPS = 3_000;
/** Virtual time after the last write after which all faults are due: a mesh at rest takes few steps. */
const REST_MS = 60_000;

async function writeUnderFaults(harness: Harness, isWriting: () => boolean): Promise<void> {
  const { schedule, plan, time } = harness.world;
  const faults = [...plan.faults].sort((a, b) => a.at - b.at);
  let restingSince = Number.POSITIVE_INFINITY;
  const isResting = () => {
    if (!isWriting()) restingSince = Math.min(restingSince, time.elapsed());
    return time.elapsed() - restingSince > REST_MS;
  };
  const unfinished = () => schedule.steps < MAX_FAULT_PHASE_STEPS && (isWriting() || faults.length > 0);
  while (harness.activeFaults.scheduled > 0 || unfinished()) {
    const isDue = faults[0] !== undefined && (faults[0].at <= schedule.steps || isResting());
    const due = isDue ? faults.shift() : undefined;
    if (due !== undefined) await applyFault(harness, due);
    else if (!(await schedule.turn())) break;
  }
}

/** Virtual time within which the mesh must become quiescent: several times the longest back-off, ack wait or period. */
const QUIESCENT_WITHIN_MS = 300_000;
const QUIESCENT_WITHIN_STEPS = 30_000;
/** Hooks that are made to fail do so twice; a hook that goes on failing where a snapshot is read every second is at fault itself. */
const HOOKS_FAIL_FOR_MS = 20_000;
/** Virtual time between two looks for pending work. */
const LOOK_EVERY_MS = 1_000;

/** Resolves with what is still pending after the time; with undefined when the mesh is quiescent. */
async function awaitQuiescence(harness: Harness, isWriting: () => boolean): Promise<string | undefined> {
  const { schedule, time, plan } = harness.world;
  const faultsEndedAt = time.elapsed();
  const lastStep = schedule.steps + QUIESCENT_WITHIN_STEPS;
  let unfinished: string | undefined = "everything";
  /** When every event was applied. A message that was held back may be applied after a snapshot that is later than it. */
  let settledAt: number | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  while (
    time.elapsed() - faultsEndedAt < QUIESCENT_WITHIN_MS &&
    schedule.steps < lastStep &&
    unfinished !== undefined
  ) {
    if (!(await schedule.turn())) break;
    if (schedule.busy() || time.elapsed() - lookedAt < LOOK_EVERY_MS) continue;
    lookedAt = time.elapsed();
    const pending = isWriting()
      ? { what: "writers write", onlySnapshots: false, hooksFail: false }
      : await findPendingWork(harness, settledAt ?? faultsEndedAt);
    const isSettling = settledAt === undefined;
    unfinished = isSettling ? (pending?.what ?? "the last snapshots") : pending?.what;
    if (pending?.onlySnapshots === false) continue;
    if (isSettling) await compareBeforeSnapshots(harness);
    settledAt ??= time.elapsed();
    const isForEver = pending?.hooksFail === true && time.elapsed() - settledAt > HOOKS_FAIL_FOR_MS;
    if (isForEver && !plan.periodic) break;
    if (unfinished !== undefined && !plan.periodic) requestSnapshots(harness);
  }
  return unfinished;
}

/**
 * Where no message was lost, events alone make each cache equal to its source. This compares them before the last
 * snapshots are read, since those would repair what a consumer got wrong.
 */
async function compareBeforeSnapshots({ world }: Harness): Promise<void> {
  if (isLossy(world.plan)) return;
  for (const copy of copiesOf(world.mesh)) {
    const found = await compareCopy({ world }, copy, { byEventsAlone: true });
    // After a unique conflict neither row has the value until the next event or snapshot of the row that gave way.
    const inConflict = found.some((line) => line.includes(placeholderValue("")));
    if (found.length === 0 || inConflict || (await wantsSnapshot(copy, world.mesh))) continue;
    for (const line of found) world.fail(`before a snapshot, ${line}`);
  }
}

/** The consumer knows that it missed something, or has never read a snapshot, and is about to read one. */
async function wantsSnapshot({ service, consumer }: Copy, mesh: SimulatedMesh): Promise<boolean> {
  const wanted = await service.database.query(
    "SELECT FROM mesh.subscription WHERE durable = $1 AND (snapshot_wanted IS NOT NULL OR snapshot_at IS NULL AND $2)",
    [consumer.durable, isSynced(mesh, consumer)],
  );
  return wanted.length > 0;
}

function requestSnapshots({ world }: Harness): void {
  for (const process of world.processes())
    for (const { durable } of process.service.definition.consumers) void process.parts()?.resync(durable);
}
