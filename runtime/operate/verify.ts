import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import { acquire } from "../database/transaction.js";
import type { ConsumerDefinition, SyncDefinition } from "../definition/consumer-definition.js";
import { splitArray } from "../resync/json-array.js";
import { readSource } from "../resync/snapshot-source.js";
import { type Comparison, createComparison } from "./compare.js";
import { countFindings, type FoundRow, type RowFinding, type Verification } from "./findings.js";
import { readSourceRow } from "./source-row.js";

/** Which cache to compare. */
export interface VerifyOptions {
  /** A pool of the cache's database. */
  readonly pool: Pool;
  readonly consumer: ConsumerDefinition;
  /** Variables with the source's URL and the key to send, by the names that mesh.yaml gives them. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  /** How long an event may be in flight before its row counts as different, in ms. Default 1000. */
  readonly settleMs?: number;
  /** How many rows to show. Default 20. */
  readonly sample?: number;
  readonly onProgress?: (rows: number) => void;
}

/** Up to this many rows are read again one by one; more are read again as a list. */
const ONE_BY_ONE = 500;
const ROUNDS = 3;

/**
 * Compares a cache with its source, over the columns that events carry. On a live mesh a difference may be an event in flight, so
 * rows that differ are read again, and count only where they differ each time. Rejects where the source cannot be read to its end.
 */
export async function verifyCache(options: VerifyOptions): Promise<Verification> {
  const { consumer, pool, settleMs = 1_000, sample = 20 } = options;
  const { durable, cache, sync } = consumer;
  if (cache === undefined || sync === undefined)
    throw new Error(`${durable} keeps no cache of a source that can be read`);
  const started = performance.now();
  // Whatever runs on a lost connection fails by itself.
  const client = await acquire(pool, () => undefined);
  try {
    const comparison = await createComparison(client, cache, consumer);
    const rows = await compareAll(comparison, sync, options);
    await comparison.confirm();
    for (let round = 1; round < ROUNDS && doubtful(await comparison.count()) > 0; round += 1) {
      await sleep(settleMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
      await compareSuspects(comparison, sync, options);
      await comparison.confirm();
    }
    return {
      durable,
      cache: cache.name,
      columns: comparison.columns,
      uncompared: comparison.uncompared,
      rows,
      ...(await comparison.count()),
      sample: await comparison.first(sample),
      ms: Math.round(performance.now() - started),
    };
  } finally {
    // Closed, not handed back: its temporary tables go with it, and a broken one is of no use.
    client.release(true);
  }
}

/** The number of findings that may be events in flight. */
function doubtful(counts: Readonly<Record<RowFinding, number>>): number {
  return countFindings({ ...counts, ahead: 0 });
}

async function compareAll(
  comparison: Comparison,
  sync: SyncDefinition,
  options: VerifyOptions,
): Promise<number> {
  const { env, signal = new AbortController().signal, onProgress } = options;
  let rows = 0;
  for await (const elements of splitArray(readSource({ sync, env, signal }), comparison.json)) {
    await comparison.add(elements, rows);
    rows += elements.length;
    onProgress?.(rows);
  }
  return await comparison.finish();
}

async function compareSuspects(
  comparison: Comparison,
  sync: SyncDefinition,
  options: VerifyOptions,
): Promise<void> {
  const counts = await comparison.count();
  // An unfit element may have no key to ask for.
  const asList = counts.unfit > 0 || countFindings(counts) > ONE_BY_ONE;
  const suspects = asList ? [] : await comparison.first(ONE_BY_ONE);
  if (suspects.length > 0 && (await compareEach(comparison, sync, { ...options, suspects }))) return;
  await comparison.restart();
  await compareAll(comparison, sync, options);
}

/** False where the source does not serve a single row that its list had: it may serve lists only. */
async function compareEach(
  comparison: Comparison,
  sync: SyncDefinition,
  { env, signal, suspects }: VerifyOptions & { readonly suspects: readonly FoundRow[] },
): Promise<boolean> {
  for (const { key, finding } of suspects) {
    if (finding === "ahead") continue;
    const row = await readSourceRow({ sync, env, signal, members: comparison.json }, key);
    if (row === undefined && finding !== "extra") return false;
    // Compared at once, before the next event arrives.
    if (row !== undefined) await comparison.add([row]);
  }
  await comparison.finish(suspects.map(({ key }) => key));
  return true;
}
