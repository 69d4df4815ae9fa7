import { type ClientBase, escapeIdentifier as quote } from "pg";
import { verbatim } from "../database/mesh-schema.js";
import type { ExistingDifference, ExistingTable } from "./existing-tables.js";
import { hasMeshTable } from "./ledger.js";
import { LOCK_TIMEOUT_MS, type LockWaiting, retryLocks } from "./lock-retries.js";
import { transact } from "./transact.js";

/*
 * Triggers of ours that do not fire, since somebody dropped or disabled them: rows are written without events, and without what else they
 * hold. `mesh.trigger` has those that migrations have made.
 */

interface IdleTrigger {
  readonly schema: string;
  readonly table: string;
  /** Both, as SQL names it. */
  readonly relation: string;
  /** Whether the table is where migrations make tables. */
  readonly home: boolean;
  readonly name: string;
  readonly state: "gone" | "disabled";
  /** What makes it. */
  readonly definition: string;
}

const IDLE = `
SELECT n.nspname AS schema, c.relname AS table, pg_catalog.format('%I.%I', n.nspname, c.relname) AS relation, n.nspname = mesh.home() AS home, noted.name, noted.definition,
  CASE WHEN made.oid IS NULL THEN 'gone' ELSE 'disabled' END AS state
FROM mesh.trigger AS noted JOIN pg_class AS c ON c.oid = noted.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_trigger AS made ON made.tgrelid = noted.relation AND made.tgname = noted.name
WHERE made.oid IS NULL OR made.tgenabled IN ('D', 'R') ORDER BY 1, 2, noted.name`;

async function readIdle(client: ClientBase): Promise<readonly IdleTrigger[]> {
  const { rows } = await client.query<IdleTrigger>(IDLE);
  return rows;
}

/** One for each table, in a database that is migrated. */
export async function compareTriggers(
  client: ClientBase,
  tables: readonly ExistingTable[],
): Promise<readonly ExistingDifference[]> {
  const idle = await readIdle(client);
  return tables.flatMap(({ name: table, at }) => {
    const mine = idle.filter((one) =>
      at === undefined ? one.home && one.table === table : one.schema === at.schema && one.table === at.table,
    );
    return mine.length === 0
      ? []
      : [{ table, isTrigger: true, message: `${describeIdle(mine, "now")}: ${missedBy(mine)}` }];
  });
}

function missedBy(triggers: readonly IdleTrigger[]): string {
  return triggers.some(({ name }) => /^(mesh_)?on_(insert|update|delete)$/.test(name))
    ? "its rows change without events"
    : "its rows change without the checks of the mesh";
}

const VERBS = { now: ["is", "are"], before: ["was", "were"] } as const;

/** `triggers mesh_on_insert, mesh_on_update are disabled` */
function describeIdle(triggers: readonly IdleTrigger[], when: keyof typeof VERBS): string {
  const [is, are] = VERBS[when];
  return (["gone", "disabled"] as const)
    .flatMap((state) => {
      const names = triggers.filter((one) => one.state === state).map(({ name }) => name);
      if (names.length === 0) return [];
      return [
        names.length === 1
          ? `trigger ${names[0]} ${is} ${state}`
          : `triggers ${names.join(", ")} ${are} ${state}`,
      ];
    })
    .join(", ");
}

/** What would be put back, a text for each table; nothing in a database without schema `mesh`. */
export async function describeIdleTriggers(client: ClientBase): Promise<readonly string[]> {
  const tables = await idleByRelation(client);
  return [...tables].map(([relation, triggers]) => `${relation}: ${describeIdle(triggers, "now")}`);
}

/** Makes or enables them again, a transaction for each table, and forgets those of tables that are gone. What it did, a text for each table. */
export async function restoreTriggers(waiting: LockWaiting): Promise<readonly string[]> {
  const { client, logger } = waiting;
  const restored: string[] = [];
  for (const [relation, triggers] of await idleByRelation(client)) {
    const statements = triggers.map(({ name, state, definition }) =>
      state === "gone" ? definition : `ALTER TABLE ${relation} ENABLE TRIGGER ${quote(name)}`,
    );
    await retryLocks({ ...waiting, what: `putting the triggers of ${relation} back` }, () =>
      transact(client, async () => {
        await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
        for (const statement of statements) await verbatim(client).query(statement);
      }),
    );
    const what = `${relation}: ${describeIdle(triggers, "before")}`;
    logger.warn(
      {},
      `${what}; put back: what changed meanwhile has no events, and mesh verify tells which copies lack it`,
    );
    restored.push(what);
  }
  if (await hasMeshTable(client, "trigger"))
    await client.query(
      "DELETE FROM mesh.trigger WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = trigger.relation)",
    );
  return restored;
}

/** By table, as SQL names it. */
async function idleByRelation(client: ClientBase): Promise<ReadonlyMap<string, readonly IdleTrigger[]>> {
  const relations = new Map<string, IdleTrigger[]>();
  if (!(await hasMeshTable(client, "trigger"))) return relations;
  for (const one of await readIdle(client))
    relations.set(one.relation, [...(relations.get(one.relation) ?? []), one]);
  return relations;
}
