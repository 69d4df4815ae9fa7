import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, FaultContext, RoundFacts } from "./faults/fault.js";
import type { ChaosMesh } from "./mesh.js";
import { removeOutlivedRows } from "./oracle/cascades.js";
import { readOracle } from "./oracle/oracle.js";
import { isOpen, type OracleInput, type OracleMemory, type Violation } from "./oracle/violation.js";
import { findPendingWork } from "./quiescent.js";
import type { Random } from "./random.js";
import type { Writers } from "./workload/writers.js";

export interface RoundOptions {
  readonly number: number;
  readonly mesh: ChaosMesh;
  readonly writers: Writers;
  readonly faults: readonly Fault[];
  readonly random: Random;
  readonly memory: OracleMemory;
  readonly windowMs: number;
  readonly quiescentMs: number;
}

export interface RoundReport {
  readonly number: number;
  readonly kinds: readonly string[];
  readonly timeline: RoundFacts["timeline"];
  /** From the end of the faults until the mesh was quiescent and correct. */
  readonly quiescentMs: number;
  /** The caches were correct only after `mesh resync`. */
  readonly resynced: boolean;
  /** The violations before that. */
  readonly beforeResync: readonly Violation[];
  readonly violations: readonly Violation[];
  readonly knownGaps: readonly Violation[];
}

/** Some lost messages are found only by the periodic snapshot, an hour later: after this time resync at once. */
const RESYNC_AFTER_LOSS_MS = 12_000;

/** Writes under faults, then waits until the mesh is quiescent, then asks the oracle. */
export async function runRound(options: RoundOptions): Promise<RoundReport> {
  const { number, mesh, writers, faults, memory } = options;
  const started = Date.now();
  const facts: RoundFacts = { lostMessages: new Set(), restored: new Set(), poison: new Map(), timeline: [] };
  const roundStart = await mesh.databases.now();
  const authSeq = (await mesh.broker.stream("AUTH"))?.state.last_seq ?? 0;
  writers.resume();
  const problems = (
    await Promise.all([
      sleep(options.windowMs).then(() => []),
      ...faults.map((fault) => performFault(fault, options, { facts, started })),
    ])
  ).flat();
  await writers.pause();
  for (const stream of facts.lostMessages) memory.everLost.add(stream);
  for (const service of facts.restored) memory.everRestored.add(service);
  const input: OracleInput = { mesh, writeLog: writers.writeLog, facts, memory, roundStart, authSeq };
  const quiescence = await awaitQuiescence(input, options.quiescentMs);
  for (const subject of facts.poison.keys()) memory.poison.add(subject);
  const found = [...problems, ...quiescence.found, ...crashesOf(mesh)];
  if (found.length > 0) await removeOutlivedRows(input);
  return {
    number,
    kinds: faults.map(({ kind }) => kind),
    timeline: facts.timeline.sort((a, b) => a.ms - b.ms),
    quiescentMs: quiescence.ms,
    resynced: quiescence.resynced,
    beforeResync: quiescence.resynced ? quiescence.first : [],
    violations: found.filter(({ knownGap }) => knownGap === undefined),
    knownGaps: found.filter(({ knownGap }) => knownGap !== undefined),
  };
}

interface Round {
  readonly facts: RoundFacts;
  readonly started: number;
}

/** A fault that cannot be begun or ended is a failure of the harness, and reported as such. */
async function performFault(
  fault: Fault,
  { mesh, writers, random }: RoundOptions,
  { facts, started }: Round,
): Promise<readonly Violation[]> {
  const note = (what: string) => facts.timeline.push({ ms: Date.now() - started, what });
  const context: FaultContext = {
    mesh,
    writeLog: writers.writeLog,
    random: random.fork(fault.what),
    facts,
    wait: (ms) => sleep(ms),
    note,
  };
  await sleep(fault.atMs);
  note(fault.what);
  try {
    const end = await fault.begin(context);
    await sleep(fault.forMs);
    await end();
    note(`over: ${fault.what}`);
    return [];
  } catch (error) {
    const row = { fault: fault.what, error: error instanceof Error ? (error.stack ?? error.message) : error };
    return [{ check: "harness", message: "a fault could not be carried out", rows: [row] }];
  }
}

interface Quiescence {
  readonly ms: number;
  readonly resynced: boolean;
  readonly first: readonly Violation[];
  readonly found: readonly Violation[];
}

async function awaitQuiescence(input: OracleInput, quiescentMs: number): Promise<Quiescence> {
  const { mesh, facts } = input;
  const started = Date.now();
  for (const replica of mesh.replicas) {
    replica.thaw();
    replica.start();
  }
  const lossy = facts.lostMessages.size > 0 || facts.restored.size > 0;
  const patience = lossy ? Math.min(RESYNC_AFTER_LOSS_MS, quiescentMs) : quiescentMs;
  const first = await checkUntil(input, started + patience);
  const ms = Date.now() - started;
  if (!first.some(isOpen)) return { ms, resynced: false, first, found: first };
  await resyncAll(mesh);
  const second = await checkUntil(input, Date.now() + quiescentMs);
  const healed = !second.some(isOpen);
  // After a loss an operator is told to resync. Elsewhere no resync may be needed.
  return { ms: Date.now() - started, resynced: true, first, found: lossy ? second : healed ? first : second };
}

/** Checks until the mesh is quiescent and nothing is wrong, or the time is up; resolves with what is wrong then. */
async function checkUntil(input: OracleInput, deadline: number): Promise<readonly Violation[]> {
  let quiescentLooks = 0;
  let found: readonly Violation[] = [];
  for (;;) {
    const pending = await findPendingWork(input.mesh);
    quiescentLooks = pending.length === 0 ? quiescentLooks + 1 : 0;
    const late = Date.now() > deadline;
    if (quiescentLooks >= 2 || late) found = await read(input);
    if (quiescentLooks >= 2 && !found.some(isOpen)) return found;
    if (late) return pending.length === 0 ? found : [notQuiescent(pending), ...found];
    await sleep(150);
  }
}

async function read(input: OracleInput): Promise<readonly Violation[]> {
  try {
    return await readOracle(input);
  } catch (error) {
    return [{ check: "harness", message: "the oracle could not be read", rows: [{ error: String(error) }] }];
  }
}

function notQuiescent(pending: readonly string[]): Violation {
  return {
    check: "rest",
    message: "the mesh does not come to rest",
    rows: pending.map((what) => ({ what })),
  };
}

function crashesOf(mesh: ChaosMesh): readonly Violation[] {
  const rows = mesh.takeCrashes().map((what) => ({ what }));
  return rows.length === 0 ? [] : [{ check: "processes", message: "a process ended by itself", rows }];
}

/** `mesh resync`. */
async function resyncAll(mesh: ChaosMesh): Promise<void> {
  for (const service of ["sfs", "compute", "gateway"] as const) {
    const [replica] = mesh.of(service);
    await fetch(`${replica?.url}/operate/resync`, {
      method: "POST",
      headers: { authorization: `Bearer ${mesh.key}` },
      signal: AbortSignal.timeout(20_000),
    }).then(
      (response) => response.text(),
      () => undefined,
    );
  }
}
