import type { ColumnDefinition, TableDefinition } from "@meshwright/runtime";
import { kindOf } from "@meshwright/runtime/column-types";
import { comparableText, isNullLike } from "@meshwright/runtime/comparable";
import {
  fieldFilling,
  joinId,
  keyNames,
  placeholderValue,
  relationOf,
  wireRow,
} from "@meshwright/runtime/simulation";
import type { ForeignOwner } from "./foreign-owners.js";
import { type Copy, isSynced, type Payload } from "./mesh.js";
import { isLossy } from "./plan.js";
import type { Outcome } from "./world.js";

/** One line for each row of the copy that is not as its owner's events and lists say it. */
export async function compareForeignCopy(
  { world }: Pick<Outcome, "world">,
  { service, consumer }: Copy,
  { living }: ForeignOwner,
): Promise<readonly string[]> {
  const { cache, durable } = consumer;
  const isHealed = isSynced(world.mesh, consumer);
  if (cache === undefined || (isLossy(world.plan) && !isHealed)) return [];
  const columns = cache.columns.filter(({ local }) => local !== true);
  const rows = await service.database.query<{ row: string }>(
    `SELECT ${wireRow({ columns }, '"$row"')} AS row FROM ${relationOf(cache)} AS "$row"`,
  );
  const key = keyNames(cache);
  const isKey = ({ name }: ColumnDefinition) => key.includes(name);
  const wanted = new Map(
    [...living].filter(([, payload]) => (cache.where ?? []).every((part) => meets(part, columns, payload))),
  );
  const found: string[] = [];
  const seen = new Set<string>();
  for (const { row } of rows) {
    const cells = JSON.parse(row) as Payload;
    const id = joinId(key.map((name) => String(cells[name])));
    seen.add(id);
    const payload = wanted.get(id);
    // After a unique conflict the row that gave way waits for its next event.
    if (row.includes(placeholderValue(""))) continue;
    const differs =
      payload === undefined || columns.some((column) => !isKey(column) && !isTold(column, cells, payload));
    if (differs)
      found.push(`${durable}: the copy has ${row}, its owner ${JSON.stringify(payload) ?? "no such entity"}`);
  }
  for (const [id, payload] of wanted)
    if (!seen.has(id)) found.push(`${durable}: the copy lacks ${id}, ${JSON.stringify(payload)}`);
  return found;
}

/** What no event has told yet is as it may. */
function isTold(column: ColumnDefinition, cells: Payload, payload: Payload): boolean {
  const field = fieldFilling(column);
  if (!Object.hasOwn(payload, field)) return true;
  const [cell, value] = [cells[column.name], payload[field]];
  if (value === null || value === undefined) return cell === null || column.defaulted === true;
  return cell !== null && comparable(column, cell) === comparable(column, value);
}

function comparable({ type }: ColumnDefinition, value: unknown): string {
  const kind = kindOf(type);
  if (kind === "document") return canonical(value);
  if (kind === "list") return JSON.stringify((value as readonly unknown[]).map(String));
  return comparableText(type, String(value));
}

/** JSON with sorted members: jsonb has an order of its own. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === "object" && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}

function meets(
  { column: name, values = [], isNull }: NonNullable<TableDefinition["where"]>[number],
  columns: readonly ColumnDefinition[],
  payload: Payload,
): boolean {
  const column = columns.find((one) => one.name === name);
  if (column === undefined) return true;
  const value = payload[fieldFilling(column)] ?? null;
  if (isNull !== undefined) return isNullLike(column.type, value) === isNull;
  const expected = values.map((one) => comparableText(column.type, one));
  return value !== null && expected.includes(comparableText(column.type, String(value)));
}
