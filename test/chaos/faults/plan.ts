import type { ChaosMesh } from "../mesh.js";
import type { Random } from "../random.js";
import type { Fault, FaultKind } from "./fault.js";
import { linkFaults } from "./links.js";
import { poisonFaults } from "./poison.js";
import { processFaults } from "./processes.js";
import { restoreFaults } from "./restore.js";
import { serverFaults } from "./servers.js";
import { streamFaults } from "./streams.js";

const KINDS: readonly FaultKind[] = [
  ...processFaults,
  ...serverFaults,
  ...linkFaults,
  ...streamFaults,
  ...restoreFaults,
  ...poisonFaults,
];

export const KIND_NAMES: readonly string[] = KINDS.map(({ kind }) => kind);

export interface PlanOptions {
  readonly random: Random;
  readonly mesh: ChaosMesh;
  readonly cluster: boolean;
  readonly only: readonly string[] | undefined;
  /** Faults begin within this time. */
  readonly windowMs: number;
}

/** The faults of one round, by when they begin. */
export function planFaults({ random, mesh, cluster, only, windowMs }: PlanOptions): readonly Fault[] {
  const usable = KINDS.filter(
    ({ kind, on }) =>
      (on === undefined || (on === "cluster") === cluster) && (only === undefined || only.includes(kind)),
  );
  const wanted = random.between(1, 4);
  const held = new Set<string>();
  const faults: Fault[] = [];
  for (let tries = 0; tries < 20 && faults.length < wanted; tries += 1) {
    const chosen = pickKind(random, usable);
    const { leastMs = 200, ...plan } = chosen.plan(random, mesh);
    const atMs = random.int(windowMs * 0.6);
    const forMs = Math.max(leastMs, random.between(200, windowMs - atMs));
    if (plan.holds.some((thing) => held.has(thing))) continue;
    for (const thing of plan.holds) held.add(thing);
    faults.push({ kind: chosen.kind, atMs, forMs, ...plan });
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}

function pickKind(random: Random, kinds: readonly FaultKind[]): FaultKind {
  let left = random.next() * kinds.reduce((sum, { weight }) => sum + weight, 0);
  for (const kind of kinds) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  return random.pick(kinds);
}
