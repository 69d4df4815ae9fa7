import type { ColumnDefinition } from "../definition.js";
import { toCell } from "./columns.js";
import type { Upsert } from "./fold.js";
import type { CacheModel } from "./model.js";
import { SnapshotFailed } from "./snapshot-source.js";

/** A row as its source has it. */
export interface SnapshotRow extends Upsert {
  /** Null from an owner that keeps none. */
  readonly version: number | null;
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
    return {
      id: String(id),
      seq: place.seq,
      cells,
      whole: true,
      version: versionOf(element, where),
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

export function versionOf(element: Readonly<Record<string, unknown>>, where: string): number | null {
  const version = element._version ?? null;
  if (version === null || (typeof version === "number" && Number.isSafeInteger(version))) return version;
  throw new SnapshotFailed(`${where}: _version is ${JSON.stringify(version)}`);
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
