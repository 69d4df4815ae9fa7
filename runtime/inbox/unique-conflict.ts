import { createHash } from "node:crypto";
import { DEFAULT } from "../database/columns.js";
import type { ColumnDefinition } from "../definition/table-definition.js";
import { factsOf } from "../values/column-types.js";
import type { CacheModel } from "./consumer-model.js";
import type { Upsert } from "./plan-batch.js";

/*
 * Unique conflicts. Two entities claim one value of a unique column. At their source they never held it together: one
 * gave it up in an event that is not here yet (another replica has it, it was lost, or the two swapped). The later claim
 * wins; the other row holds a placeholder value until its own event or a snapshot says what became of it.
 *
 * Pure: `settle-conflicts.ts` reads who holds a value, and writes what is decided here.
 */

/** What a row holds in a unique text column in place of a value that a later event of another entity claims. */
export function placeholderValue(id: string): string {
  return `superseded:${id}`;
}

/** A value that a row claims in a unique column of the cache. */
export interface Claim {
  /** Of the column. */
  readonly index: number;
  readonly value: unknown;
}

/** No claims are NULL, a default, and a column that the event does not carry. */
export function claimsOf({ columns }: CacheModel, { cells }: Upsert): readonly Claim[] {
  return columns.flatMap((column, index) => {
    const value = cells[index];
    const isClaim = value !== undefined && value !== null && value !== DEFAULT;
    return column.unique === true && isClaim ? [{ index, value }] : [];
  });
}

/**
 * Which of the two rows yields the value: the one whose last event is the earlier one, by effective sequence. The holder
 * yields at the same sequence, and where no event of it was applied (null).
 */
export function yielding(holderSeq: number | null, claimSeq: number): "holder" | "claimant" {
  return (holderSeq ?? 0) > claimSeq ? "claimant" : "holder";
}

/** The row without the value that it yields. */
export function withPlaceholder(cache: CacheModel, row: Upsert, index: number): Upsert {
  return { ...row, cells: row.cells.with(index, placeholderOf(cache, index, row.id)) };
}

/** Undefined where the column has no room for a text that no other row holds. */
function fittingPlaceholder({ type }: ColumnDefinition, id: string): string | undefined {
  const { kind, length = Number.POSITIVE_INFINITY } = factsOf(type);
  if (kind !== "text") return undefined;
  const whole = placeholderValue(id);
  if (whole.length <= length) return whole;
  const hash = createHash("sha256").update(id).digest("base64url");
  return length < 32 ? undefined : placeholderValue(hash).slice(0, length);
}

/** Of a text column a value that no other row has; of another one NULL. Throws where the column can hold neither. */
export function placeholderOf(cache: CacheModel, index: number, id: string): string | null {
  const column = cache.columns[index];
  const placeholder = column === undefined ? undefined : fittingPlaceholder(column, id);
  if (placeholder !== undefined) return placeholder;
  if (column?.nullable === true) return null;
  throw new Error(
    `${cache.table.name}.${column?.name} is unique, not nullable, and has no room for a placeholder: a unique conflict cannot be settled`,
  );
}
