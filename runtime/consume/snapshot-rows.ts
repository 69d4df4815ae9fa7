import type { ColumnDefinition } from "../definition.js";
import { toCell } from "./columns.js";
import type { Upsert } from "./fold.js";
import type { CacheModel } from "./model.js";
import { SnapshotFailed } from "./snapshot-source.js";

/** A row as its source has it. */
export interface SnapshotRow extends Upsert {
  /** Null from an owner that keeps none. */
  readonly version: number | null;
  /** Version at which its present life began, where that is known and it may not be the first. */
  readonly born: number | null;
  readonly element: Readonly<Record<string, unknown>>;
}

/**
 * Checks and converts the elements of a chunk. A field that is absent from one element but not from
 * all was left out for being empty, and means the default; one that the source never tells is left
 * alone. `before` counts the elements of earlier chunks, for messages.
 */
export function toRows(
  cache: CacheModel,
  elements: readonly unknown[],
  place: { readonly before: number; readonly seq: number },
): readonly SnapshotRow[] {
  const objects = elementsOf(elements, place.before);
  const told = cache.columns.map(({ name }) => objects.some(({ element }) => element[name] !== undefined));
  return objects.map(({ element, where }) => {
    const id = element[cache.key.name];
    checkValue(cache.key, id, where);
    const cells = cache.columns.map((column, index) => {
      const value = element[column.name];
      checkValue(column, value, where);
      return told[index] === true ? toCell(column, value) : undefined;
    });
    const version = versionOf(element, where);
    return {
      id: String(id),
      seq: place.seq,
      cells,
      whole: true,
      version,
      born: bornOf(element, version, where),
      element,
    };
  });
}

interface SourceElement {
  readonly element: Readonly<Record<string, unknown>>;
  /** For messages. */
  readonly where: string;
}

/** Throws `SnapshotFailed` on an element that is no object. */
export function elementsOf(elements: readonly unknown[], before: number): readonly SourceElement[] {
  return elements.map((element, at) => {
    const where = `element ${before + at + 1}`;
    if (isObject(element)) return { element, where };
    throw new SnapshotFailed(`${where} is not an object`);
  });
}

export function versionOf(element: SourceElement["element"], where: string): number | null {
  return numberOf(element, "_version", where);
}

/** Null also of a first life, which has none to be told from, and where it is later than the version: that says nothing. */
export function bornOf(
  element: SourceElement["element"],
  version: number | null,
  where: string,
): number | null {
  const born = numberOf(element, "_born", where);
  return born === null || version === null || born <= 1 || born > version ? null : born;
}

function numberOf(
  element: SourceElement["element"],
  name: "_version" | "_born",
  where: string,
): number | null {
  const value = element[name] ?? null;
  if (value === null || (typeof value === "number" && Number.isSafeInteger(value))) return value;
  throw new SnapshotFailed(`${where}: ${name} is ${JSON.stringify(value)}`);
}

function checkValue(column: ColumnDefinition, value: unknown, where: string): void {
  if (value === undefined || value === null) {
    if (column.nullable === true || column.defaulted === true) return;
    throw new SnapshotFailed(`${where} has no ${column.name}`);
  }
  if (!fits(column, value)) {
    throw new SnapshotFailed(
      `${where}: ${column.name} is ${JSON.stringify(value).slice(0, 80)}, not of type ${column.type}`,
    );
  }
}

function fits(column: ColumnDefinition, value: unknown): boolean {
  switch (column.type) {
    case "integer":
    case "bigint":
      return Number.isSafeInteger(value);
    case "number":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    case "json":
      return true;
    case "nanoid":
    case "text":
    case "uuid":
      return typeof value === "string";
    case "timestamp":
      return typeof value === "string" && !Number.isNaN(Date.parse(value));
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
