import type { RoundFacts } from "../faults/fault.js";
import type { Ledger } from "../ledger.js";
import type { ChaosMesh } from "../mesh.js";

export interface Violation {
  /** The promise: `caches`, `cascades`, … */
  readonly check: string;
  readonly message: string;
  readonly rows: readonly object[];
  /** What is known to be missing and being worked on: counted by itself. */
  readonly knownGap?: string;
  /** What has happened has happened: waiting does not mend it. */
  readonly final?: true;
}

export interface Looking {
  readonly mesh: ChaosMesh;
  readonly ledger: Ledger;
  readonly facts: RoundFacts;
  readonly memory: OracleMemory;
  /** By the databases' clock. */
  readonly roundStart: Date;
  /** Sequence of the last message of AUTH at the start of the round. */
  readonly authSeq: number;
}

/** What the oracle keeps from round to round. */
export interface OracleMemory {
  /** Streams that lost messages in any round: what they are asked for anew need not be what was there. */
  readonly everLost: Set<string>;
  /** Services whose database went back to a backup in any round: what they had heard of then they need not hear again. */
  readonly everRestored: Set<string>;
  /** Subjects of all poison of the run. */
  readonly poison: Set<string>;
}

/** Waiting could mend it, or asking for a snapshot. */
export function isOpen({ knownGap, final }: Violation): boolean {
  return knownGap === undefined && final === undefined;
}

/** Turn to false when an entity that a snapshot only found alive has a life that a later one can be told from. */
export const COUNT_KNOWN_GAPS_APART = true;

export function violation(
  check: string,
  message: string,
  rows: readonly object[],
  knownGap?: string,
): readonly Violation[] {
  if (rows.length === 0) return [];
  const gap = COUNT_KNOWN_GAPS_APART && knownGap !== undefined ? { knownGap } : {};
  return [{ check, message: `${message} (${rows.length})`, rows: rows.slice(0, 8), ...gap }];
}
