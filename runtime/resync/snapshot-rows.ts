import { toCell } from "../database/columns.js";
import type { ColumnDefinition } from "../definition/table-definition.js";
import type { CacheModel } from "../inbox/consumer-model.js";
import { membershipOf } from "../inbox/membership.js";
import type { Upsert } from "../inbox/plan-batch.js";
import { kindOf } from "../values/column-types.js";
import { joinId, unfitId } from "../values/entity-id.js";
import { fieldOf, memberFilling } from "../values/field.js";
import { unfitReason, unstorableReason } from "../values/values.js";
import { HIGHEST_VERSION } from "../values/version.js";
import { idOfRow, type Judged, printed, REPEATED, readElement, textOf, type UnfitRow } from "./unfit-rows.js";

/** A row as its source has it. */
export interface SnapshotRow extends Upsert {
  /** Null from an owner that keeps no versions. */
  readonly version: number | null;
  /** Version at which its present incarnation began; null where that is not known, or it is the first. */
  readonly firstVersion: number | null;
  readonly element: Fields;
  /** It is not in this cache, which is partial; its entity is. */
  readonly outside: boolean;
  /** Among the elements of the source, from 1. */
  readonly ordinal: number;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Checks and converts the elements of a chunk. A field that is absent from one element but not from
 * all was left out for being empty, and means the default; one that no element has is left
 * alone. `before` is the number of elements in earlier chunks.
 */
export function toRows(
  cache: CacheModel,
  elements: readonly unknown[],
  { before, seq }: { readonly before: number; readonly seq: number },
): Judged<SnapshotRow> {
  const read = elements.map(readElement);
  const filled = cache.columns.map((column): Filled => {
    const member = memberFilling(column);
    const isPresent = read.some(({ fields = {} }) => fieldOf(fields, member) !== undefined);
    return { column, member, isPresent };
  });
  const checked = [...cache.key, ...cache.columns];
  const unfit: UnfitRow[] = [];
  const byEntity = new Map<string, SnapshotRow>();
  // Of each row of a table: loops, since closures and copies would be most of what is allocated.
  for (const [index, { fields, reason: unread }] of read.entries()) {
    const ordinal = before + index + 1;
    const id = idOfRow(cache.key, fields ?? {});
    const reason = unread ?? unfitElement(cache, checked, fields ?? {}, id);
    if (reason !== undefined || fields === undefined || id === null) {
      unfit.push({
        ordinal,
        id,
        reason: reason ?? `it has no ${cache.key.map(memberFilling).join(", ")}`,
        element: textOf(elements[index]),
      });
      continue;
    }
    const cells = cellsOf(filled, fields);
    const absent = absentCondition(cache, cells);
    if (absent !== undefined) {
      unfit.push({ ordinal, id, reason: absent, element: textOf(fields) });
      continue;
    }
    const version = versionOf(fields);
    const row = {
      id,
      seq,
      cells,
      whole: true,
      version,
      firstVersion: firstVersionOf(fields, version),
      element: fields,
      outside: membershipOf(cache, cells) === "outside",
      ordinal,
    };
    const former = byEntity.get(id);
    const isStale = former !== undefined && isOlder(row, former);
    if (former !== undefined) unfit.push(repeated(isStale ? row : former));
    if (!isStale) byEntity.set(id, row);
  }
  return { fit: [...byEntity.values()], unfit };
}

/** A column of the cache, and what fills it. */
interface Filled {
  readonly column: ColumnDefinition;
  readonly member: string;
  /** Whether any element of the chunk has it. */
  readonly isPresent: boolean;
}

function cellsOf(filled: readonly Filled[], fields: Fields): readonly unknown[] {
  const cells: unknown[] = new Array(filled.length);
  let at = 0;
  for (const { column, member, isPresent } of filled) {
    cells[at] = isPresent ? toCell(column, fields, member) : undefined;
    at += 1;
  }
  return cells;
}

/** The later of two rows of one entity counts, as it does across chunks; unless it says that it is older. */
function isOlder(row: SnapshotRow, former: SnapshotRow): boolean {
  return row.version !== null && former.version !== null && row.version < former.version;
}

function repeated({ id, ordinal, element }: SnapshotRow): UnfitRow {
  return { ordinal, id, reason: REPEATED, element: textOf(element) };
}

/** A source that leaves out a column of the condition would empty the cache, unless rows without it belong there. */
function absentCondition({ conditions, columns }: CacheModel, cells: readonly unknown[]): string | undefined {
  const lacking = conditions.find(({ index, absent }) => cells[index] === undefined && !absent);
  if (lacking === undefined) return undefined;
  const column = columns[lacking.index];
  return `it has no ${column && memberFilling(column)}, which says whether it belongs to this copy`;
}

/** Why an element cannot be a row of this cache; undefined where nothing is known against it. `checked`: the columns of the cache. */
function unfitElement(
  { key }: CacheModel,
  checked: readonly ColumnDefinition[],
  fields: Fields,
  id: string | null,
): string | undefined {
  for (const column of checked) {
    const reason = unfitValue(column, fieldOf(fields, memberFilling(column)));
    if (reason !== undefined) return reason;
  }
  const unfit =
    id === null
      ? unfitId(joinId(key.map((column) => String(fieldOf(fields, memberFilling(column))))))
      : undefined;
  return unfit ?? unfitVersion(fields);
}

function isVersion(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= HIGHEST_VERSION;
}

/** Null from an owner that keeps none. */
export function versionOf(fields: Fields): number | null {
  return toNumber(fields._version);
}

/** Null where the owner does not say, where it is the first incarnation, and where it is later than the version, which makes no sense. */
export function firstVersionOf(fields: Fields, version: number | null): number | null {
  const firstVersion = toNumber(fields._first_version);
  return firstVersion === null || version === null || firstVersion <= 1 || firstVersion > version
    ? null
    : firstVersion;
}

function toNumber(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

/** Why what an element says of its version cannot be one. */
export function unfitVersion(fields: Fields): string | undefined {
  if (!isVersion(fields._version)) return `_version is ${excerpt(fields._version)}`;
  return isVersion(fields._first_version) ? undefined : `_first_version is ${excerpt(fields._first_version)}`;
}

function unfitValue(column: ColumnDefinition, value: unknown): string | undefined {
  if (value === null && kindOf(column.type) === "document") return undefined;
  const name = memberFilling(column);
  if (value === undefined || value === null)
    return column.nullable === true || column.defaulted === true ? undefined : `it has no ${name}`;
  if (unfitReason(column, value) !== undefined)
    return `${name} is ${excerpt(value)}, not of type ${column.type}`;
  if (typeof value === "string" && unstorableReason(value) !== undefined)
    return `${name} is ${excerpt(value)}, which no text can hold`;
  return column.oneOf === undefined || column.oneOf.some((allowed) => String(allowed) === String(value))
    ? undefined
    : `${name} is ${excerpt(value)}, not one of ${column.oneOf.join(", ")}`;
}

function excerpt(value: unknown): string {
  return printed(value).slice(0, 80);
}
