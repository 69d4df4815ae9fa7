/*
 * What verifying finds: rows of a copy that are not as their source has them, and rows that refer to what their owner does not have.
 * Each finding is of one kind, and each kind has one thing that mends it.
 */

/** The kinds of findings. */
export type RowFinding =
  /** The copy lacks it. A snapshot brings it. */
  | "missing"
  /** The source lacks it, or lacks what the row refers to, which was known here: its deletion was missed. A snapshot removes it. */
  | "extra"
  /** Both have it, and it is not the same. A snapshot overwrites it. */
  | "differing"
  /** The source's row cannot be a row of the copy. It has to be mended at its owner. */
  | "unfit"
  /** A later version is known here than the source has, so that the source's events are ignored. A snapshot that trusts the source takes it back. */
  | "ahead"
  /** It refers to what its owner lacks and was never known here, or whose deletion was applied: no snapshot removes it. A person has to. */
  | "dangling";

export const NO_FINDINGS: Readonly<Record<RowFinding, number>> = {
  missing: 0,
  extra: 0,
  differing: 0,
  unfit: 0,
  ahead: 0,
  dangling: 0,
};

/** The number of all findings. */
export function countFindings(found: Readonly<Record<RowFinding, number>>): number {
  return Object.keys(NO_FINDINGS).reduce((sum, kind) => sum + found[kind as RowFinding], 0);
}

/** A row in which a copy and its source differ. */
export interface FoundRow {
  /** The row's key; of an unfit row without one, its number among the elements of the source. */
  readonly key: string;
  readonly finding: RowFinding;
  /** Why the row is unfit, ahead or dangling; else null. */
  readonly reason: string | null;
  /** The declared columns as each side has them; null where that side has no such row. */
  readonly source: object | null;
  readonly cache: object | null;
  /** The same as JSON, where numbers have all their digits. */
  readonly sourceText: string | null;
  readonly cacheText: string | null;
}

/** Rows per finding of one cache compared with its source, or of one column with the entities that it refers to. */
export interface Verification extends Readonly<Record<RowFinding, number>> {
  readonly durable: string;
  readonly cache: string;
  /** Columns that were compared. */
  readonly columns: readonly string[];
  /** Columns of the cache that were not: what only hooks fill (`local`), or no event carries. */
  readonly uncompared: readonly string[];
  /** Rows that the source has. */
  readonly rows: number;
  /** The first rows that differ, in key order. */
  readonly sample: readonly FoundRow[];
  readonly ms: number;
}
