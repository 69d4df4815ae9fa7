import type { RoundFacts } from "../faults/fault.js";
import type { ChaosMesh } from "../mesh.js";
import type { WriteLog } from "../write-log.js";

export interface Violation {
  /** The promise: `caches`, `cascades`, … */
  readonly check: string;
  readonly message: string;
  readonly rows: readonly object[];
  /** Name of a known limitation: counted separately, not as a failure. */
  readonly knownGap?: string;
  /** Waiting or a resync cannot repair it. */
  readonly final?: true;
}

export interface OracleInput {
  readonly mesh: ChaosMesh;
  readonly writeLog: WriteLog;
  readonly facts: RoundFacts;
  readonly memory: OracleMemory;
  /** By the databases' clock. */
  readonly roundStart: Date;
  /** Sequence of the last message of AUTH at the start of the round. */
  readonly authSeq: number;
}

/** What the oracle remembers from round to round. */
export interface OracleMemory {
  /** Streams that lost messages in any round. */
  readonly everLost: Set<string>;
  /** Services whose database was restored from a backup in any round. */
  readonly everRestored: Set<string>;
  /** Subjects of all poison of the run. */
  readonly poison: Set<string>;
}

/** Waiting or a resync may repair it. */
export function isOpen({ knownGap, final }: Violation): boolean {
  return knownGap === undefined && final === undefined;
}

/** Set to false once a service without a cache can tell incarnations apart. */
const COUNT_KNOWN_GAPS_APART = true;

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
