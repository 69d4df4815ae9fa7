import type { ServiceDefinition, TableDefinition, Tx } from "@meshwright/runtime";
import { idSql, keyColumns, relationOf } from "@meshwright/runtime/simulation";
import { escapeIdentifier as quote } from "pg";
import { IN_HOOK, localColumns } from "./postgres/observers.js";
import { plainValue } from "./values.js";

/*
 * Columns of copies that only hooks fill (`local` in mesh.yaml). A trigger notes each change that comes while no hook runs.
 */

/** Marks the session while a hook of a service runs that has such columns. */
export async function inHook(
  tx: Tx,
  { tables }: ServiceDefinition,
  work: () => Promise<void>,
): Promise<void> {
  const guarded = tables.some((table) => localColumns(table).length > 0);
  if (guarded) await tx.query(`SET LOCAL ${IN_HOOK} = 'on'`);
  await work();
  if (guarded) await tx.query(`SET LOCAL ${IN_HOOK} = 'off'`);
}

/** As a hook would: other values for other versions. */
export async function fillLocalColumns(
  tx: Tx,
  cache: TableDefinition,
  { id, version }: { readonly id: string; readonly version: number | null },
): Promise<void> {
  const columns = localColumns(cache);
  if (columns.length === 0) return;
  const set = columns.map(({ name }, index) => `${quote(name)} = $${index + 2}`).join(", ");
  const values = columns.map((column) => plainValue(column, 1 + ((version ?? 0) % 4)));
  await tx.query(`UPDATE ${relationOf(cache)} SET ${set} WHERE ${idSql(keyColumns(cache))} = $1`, [
    id,
    ...values,
  ]);
}
