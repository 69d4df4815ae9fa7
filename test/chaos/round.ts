import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, RoundFacts, Striking } from "./faults/fault.js";
import type { ChaosMesh } from "./mesh.js";
import { sweepCascades } from "./oracle/cascades.js";
import { readOracle } from "./oracle/oracle.js";
import { isOpen, type Looking, type OracleMemory, type Violation } from "./oracle/violation.js";
import { whatIsUnderWay } from "./quiet.js";
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
  readonly quietMs: number;
}

export interface RoundReport {
  readonly number: number;
  readonly kinds: readonly string[];
  readonly diary: RoundFacts["diary"];
  /** From the end of the faults until everything was at rest and right. */
  readonly quietMs: number;
  /** The caches were right only after `mesh resync`. */
  readonly resynced: boolean;
  /** What was wrong before that. */
  readonly beforeResync: readonly Violation[];
  readonly violations: readonly Violation[];
  readonly knownGaps: readonly Violation[];
}

/** Messages that nobody misses are found by the periodic snapshot, an hour later; an operator asks for one now. */
const PATIENCE_WITH_LOSS_MS = 12_000;

/** Writes and faults, then peace, then the oracle. */
export async function runRound(options: RoundOptions): Promise<RoundReport> {
  const { number, mesh, writers, faults, memory } = options;
  const started = Date.now();
  const facts: RoundFacts = { lostMessages: new Set(), restored: new Set(), poison: new Map(), diary: [] };
  const roundStart = await mesh.databases.now();
  const authSeq = (await mesh.broker.stream("AUTH"))?.state.last_seq ?? 0;
  writers.resume();
  const problems = (
    await Promise.all([
      sleep(options.windowMs).then(() => []),
      ...faults.map((fault) => carryOut(fault, options, { facts, started })),
    ])
  ).flat();
  await writers.pause();
  for (const stream of facts.lostMessages) memory.everLost.add(stream);
  for (const service of facts.restored) memory.everRestored.add(service);
  const looking: Looking = { mesh, ledger: writers.ledger, facts, memory, roundStart, authSeq };
  const peace = await untilPeace(looking, options.quietMs);
  for (const subject of facts.poison.keys()) memory.poison.add(subject);
  const found = [...problems, ...peace.found, ...crashesOf(mesh)];
  if (found.length > 0) await sweepCascades(looking);
  return {
    number,
    kinds: faults.map(({ kind }) => kind),
    diary: facts.diary.sort((a, b) => a.ms - b.ms),
    quietMs: peace.ms,
    resynced: peace.resynced,
    beforeResync: peace.resynced ? peace.first : [],
    violations: found.filter(({ knownGap }) => knownGap === undefined),
    knownGaps: found.filter(({ knownGap }) => knownGap !== undefined),
  };
}

interface Round {
  readonly facts: RoundFacts;
  readonly started: number;
}

/** A fault that could not be ended is the rig's own failure, and told as such. */
async function carryOut(
  fault: Fault,
  { mesh, writers, random }: RoundOptions,
  { facts, started }: Round,
): Promise<readonly Violation[]> {
  const note = (what: string) => facts.diary.push({ ms: Date.now() - started, what });
  const striking: Striking = {
    mesh,
    ledger: writers.ledger,
    random: random.fork(fault.what),
    facts,
    wait: (ms) => sleep(ms),
    note,
  };
  await sleep(fault.atMs);
  note(fault.what);
  try {
    const end = await fault.strike(striking);
    await sleep(fault.forMs);
    await end();
    note(`over: ${fault.what}`);
    return [];
  } catch (error) {
    const row = { fault: fault.what, error: error instanceof Error ? (error.stack ?? error.message) : error };
    return [{ check: "rig", message: "a fault could not be carried out", rows: [row] }];
  }
}

interface Peace {
  readonly ms: number;
  readonly resynced: boolean;
  readonly first: readonly Violation[];
  readonly found: readonly Violation[];
}

async function untilPeace(looking: Looking, quietMs: number): Promise<Peace> {
  const { mesh, facts } = looking;
  const started = Date.now();
  for (const replica of mesh.replicas) {
    replica.thaw();
    replica.start();
  }
  const lossy = facts.lostMessages.size > 0 || facts.restored.size > 0;
  const patience = lossy ? Math.min(PATIENCE_WITH_LOSS_MS, quietMs) : quietMs;
  const first = await lookUntil(looking, started + patience);
  const ms = Date.now() - started;
  if (!first.some(isOpen)) return { ms, resynced: false, first, found: first };
  await resyncAll(mesh);
  const second = await lookUntil(looking, Date.now() + quietMs);
  const healed = !second.some(isOpen);
  // Where something was lost, to ask for a snapshot is what an operator is told to do; elsewhere it must not be needed.
  return { ms: Date.now() - started, resynced: true, first, found: lossy ? second : healed ? first : second };
}

/** Until nothing is under way and nothing is wrong, or the time is up: then, what is. */
async function lookUntil(looking: Looking, deadline: number): Promise<readonly Violation[]> {
  let calm = 0;
  let found: readonly Violation[] = [];
  for (;;) {
    const busy = await whatIsUnderWay(looking.mesh);
    calm = busy.length === 0 ? calm + 1 : 0;
    const late = Date.now() > deadline;
    if (calm >= 2 || late) found = await read(looking);
    if (calm >= 2 && !found.some(isOpen)) return found;
    if (late) return busy.length === 0 ? found : [unrest(busy), ...found];
    await sleep(150);
  }
}

async function read(looking: Looking): Promise<readonly Violation[]> {
  try {
    return await readOracle(looking);
  } catch (error) {
    return [{ check: "rig", message: "the oracle could not be read", rows: [{ error: String(error) }] }];
  }
}

function unrest(busy: readonly string[]): Violation {
  return { check: "rest", message: "the mesh does not come to rest", rows: busy.map((what) => ({ what })) };
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
