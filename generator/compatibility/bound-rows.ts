import type { Event, Field, Mesh, Table } from "../model/mesh.js";
import { emissionRules, tableConditions } from "../rules/payload-conditions.js";
import type { Concern, RowsOf } from "./change.js";
import type { Meshes } from "./meshes.js";

/** Rows that an event follows from, where its payload demands more of them than before. */
export interface BoundRows {
  readonly concern: Concern;
  /** Undefined where no CHECK of the table says it, but the function that writes the event. */
  readonly rows: RowsOf | undefined;
}

interface Demanded {
  readonly previous: Event;
  readonly event: Event;
  readonly field: Field;
  /** It is demanded of the field's value, or of what is within it. */
  readonly ofValue: boolean;
}

/**
 * Rows that were taken are refused: those that are there by the migration, those of older releases as they are written. What
 * SQL cannot say of them, within a document, the relay finds.
 */
export function boundRows(
  { previous, event, field, ofValue }: Demanded,
  { before, next, former }: Meshes,
): BoundRows | undefined {
  const database = next.services.find(({ name }) => name === event.service)?.database;
  if (field.source?.kind !== "column" || database === undefined || event.emit === undefined) return undefined;
  const { column } = field.source;
  const pair = former.tables(database).kept.find((each) => each.next.name === event.emit?.table);
  const kept = pair && former.columns(pair).kept.find((each) => each.next.name === column);
  if (pair === undefined || kept === undefined) return undefined;
  const was = new Set(
    Object.values(
      demands(previous, { table: pair.previous, column: kept.previous.name, mesh: before }),
    ).flat(),
  );
  const is = demands(event, { table: pair.next, column, mesh: next });
  const isNew = (condition: string) => !was.has(condition);
  if (!is.always.some(isNew) && !is.told.some(isNew)) {
    const isDocument = [kept.previous, kept.next].every(({ type }) => type === "json");
    const as = "events of rows that do not fit become dead letters of its outbox";
    return ofValue && isDocument
      ? { concern: { service: event.service, field: `${pair.next.name}.${column}`, as }, rows: undefined }
      : undefined;
  }
  const isChecked = is.always.some(isNew);
  const refused = "refused, of its running replicas too";
  return {
    concern: {
      service: event.service,
      field: `${pair.next.name}.${column}`,
      as: isChecked
        ? `the migration fails on rows that do not fit, and writes of such are ${refused}`
        : `writes of rows that do not fit are ${refused}`,
    },
    rows: isChecked ? { database, tables: [pair.next.name], columns: [column] } : undefined,
  };
}

/** Of a column, in one spelling: of each row, and of rows that mean the event. */
function demands(
  event: Event,
  about: { readonly table: Table; readonly column: string; readonly mesh: Mesh },
): { readonly always: readonly string[]; readonly told: readonly string[] } {
  const { table, mesh } = about;
  const column = table.columns.find(({ name }) => name === about.column);
  if (column === undefined) return { always: [], told: [] };
  const told = emissionRules(event, table, mesh).filter(
    (rule) => rule.source.kind === "column" && rule.column.name === column.name,
  );
  return {
    always: tableConditions(column, table, mesh)("value"),
    told: told.map(({ condition }) => condition("value")),
  };
}
