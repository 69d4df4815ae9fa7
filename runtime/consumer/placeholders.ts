import type { Pool } from "pg";
import { escapeIdentifier } from "pg";
import { relationOf } from "../database/relation.js";
import type { ConsumerModel } from "../inbox/consumer-model.js";
import { placeholderValue } from "../inbox/unique-conflict.js";
import { kindOf } from "../values/column-types.js";

/** Whether a row of the cache holds a placeholder value in a unique text column; others hold NULL in place of a value. */
export async function holdsPlaceholders(pool: Pool, { cache }: ConsumerModel): Promise<boolean> {
  const columns =
    cache?.columns.filter(({ unique, type }) => unique === true && kindOf(type) === "text") ?? [];
  if (cache === undefined || columns.length === 0) return false;
  const held = columns
    .map(({ name }) => `pg_catalog.starts_with(${escapeIdentifier(name)}, $1)`)
    .join(" OR ");
  const { rows } = await pool.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM ${relationOf(cache.table)} WHERE ${held}) AS found`,
    [placeholderValue("")],
  );
  return rows[0]?.found === true;
}
