import { readFile } from "node:fs/promises";
import type { ServiceName } from "../project.js";
import { type Looking, type Violation, violation } from "./violation.js";

interface Reference {
  readonly service: ServiceName;
  readonly table: string;
  readonly key: string;
  readonly column: string;
  readonly source: "auth.user" | "compute.container";
}

const REFERENCES: readonly Reference[] = [
  { service: "sfs", table: "namespaces", key: "namespace_id", column: "owner_id", source: "auth.user" },
  { service: "sfs", table: "files", key: "file_id", column: "uploader_id", source: "auth.user" },
  { service: "compute", table: "containers", key: "container_id", column: "user_id", source: "auth.user" },
  { service: "compute", table: "ssh_keys", key: "key_id", column: "user_id", source: "auth.user" },
  {
    service: "gateway",
    table: "routes",
    key: "route_id",
    column: "container_id",
    source: "compute.container",
  },
  {
    service: "gateway",
    table: "ingress_rules",
    key: "rule_id",
    column: "container_id",
    source: "compute.container",
  },
];

interface Referring {
  readonly row: string;
  readonly id: string;
  readonly made_at: Date;
  readonly version: string | null;
  readonly versioned: boolean | null;
  readonly deleted: boolean | null;
  readonly stream_seq: string | null;
  /** When the row was made, something had been heard of the entity. */
  readonly heard: boolean;
  /** When a snapshot was the first to tell of the entity; null where an event was. */
  readonly met_at: Date | null;
}

/** Statements of one service and its clock may lie this far apart for one row and what it refers to. */
const SLACK_MS = 1_000;

/** No row refers to what is deleted, nor to what an earlier life of the same id was. */
export async function checkCascades(looking: Looking): Promise<readonly Violation[]> {
  const lives = {
    "auth.user": await readLives(looking, "auth", "SELECT user_id AS id, created_at FROM users"),
    "compute.container": await readLives(
      looking,
      "compute",
      "SELECT container_id AS id, created_at FROM containers",
    ),
  };
  const found: Violation[] = [];
  for (const reference of REFERENCES) {
    const { service, table, column, source } = reference;
    const referring = await readReferring(looking, reference);
    const stray = referring.filter(
      (row) => !lives[source].has(row.id) && !isUnheardOf(looking, reference, row),
    );
    const former = referring.filter((row) => {
      const life = lives[source].get(row.id);
      const isFormer = life !== undefined && row.made_at.getTime() < life.getTime() - SLACK_MS;
      if (!isFormer || row.heard) return isFormer;
      // Read while the broker was away, the source may be lives ahead of its stream.
      const isMetInThisLife = row.met_at !== null && row.met_at.getTime() >= life.getTime();
      return !isMetInThisLife && !wasForgotten(looking, reference);
    });
    // Without a cache an entity that was only found alive has no life that another could be told from.
    const gap = service === "gateway" && lostForGateway(looking) ? "lives without a cache" : undefined;
    found.push(
      ...violation("cascades", `${service}.${table}.${column} names what is deleted`, stray),
      ...violation(
        "cascades",
        `${service}.${table}.${column}: the row belongs to a former life of its id`,
        await Promise.all(
          former.map((row) => explain(looking, reference, { ...row, born: lives[source].get(row.id) })),
        ),
        gap,
      ).map((one) => ({ ...one, final: true as const })),
    );
  }
  return found;
}

/** With what its service knew of the entity, and when. */
async function explain<T extends Referring>(
  { mesh }: Looking,
  { service, source }: Reference,
  row: T,
): Promise<T & { readonly history: readonly string[] }> {
  const history = await mesh.databases.history(service, source, row.id);
  return { ...row, history: history.map((state) => Object.values(state).join(" ")) };
}

async function readLives({ mesh }: Looking, service: ServiceName, sql: string) {
  const { rows } = await mesh.databases.pools[service].query<{ id: string; created_at: Date }>(sql);
  return new Map(rows.map((row) => [row.id, row.created_at]));
}

async function readReferring({ mesh }: Looking, reference: Reference): Promise<readonly Referring[]> {
  const { service, table, key, column, source } = reference;
  const { rows } = await mesh.databases.pools[service].query<Referring>(
    `SELECT ${key} AS row, ${column} AS id, created_at AS made_at, version, versioned, deleted, stream_seq,
     EXISTS (SELECT FROM chaos_history AS known WHERE known.entity = $1 AND known.entity_id = ${column}
       AND known.at AT TIME ZONE 'UTC' <= created_at AND (known.version IS NOT NULL OR known.stream_seq IS NOT NULL)) AS heard,
     (SELECT first.at FROM (SELECT at, stream_seq FROM chaos_history WHERE entity = $1 AND entity_id = ${column}
       AND version IS NOT NULL ORDER BY at LIMIT 1) AS first
       WHERE EXISTS (SELECT FROM chaos_history AS told WHERE told.entity = $1 AND told.entity_id <> ${column}
         AND told.stream_seq = first.stream_seq)) AS met_at
     FROM ${table} LEFT JOIN mesh.applied ON entity = $1 AND entity_id = ${column} WHERE ${column} IS NOT NULL`,
    [source],
  );
  return rows;
}

/**
 * Its owner or this service forgot it, or its events were lost, before the row named it: nothing that could be deleted ever
 * reached this service as it is now. `mesh verify` finds such rows.
 */
function isUnheardOf(looking: Looking, reference: Reference, { version, stream_seq }: Referring): boolean {
  return wasForgotten(looking, reference) && version === null && stream_seq === null;
}

/** What was never heard of may have lived, and ended, all the same: a row that names it belongs to whichever life comes first. */
function wasForgotten({ memory }: Looking, { source, service }: Reference): boolean {
  const owner = source === "auth.user" ? "auth" : "compute";
  const { everRestored, everLost } = memory;
  return everRestored.has(owner) || everRestored.has(service) || everLost.has(owner.toUpperCase());
}

function lostForGateway({ facts }: Looking): boolean {
  return facts.lostMessages.has("COMPUTE") || facts.restored.has("compute") || facts.restored.has("gateway");
}

/** Takes away what a violation left, so that the next rounds do not find it again. */
export async function sweepCascades(looking: Looking): Promise<void> {
  const { pools } = looking.mesh.databases;
  const lives = {
    "auth.user": await readLives(looking, "auth", "SELECT user_id AS id, created_at FROM users"),
    "compute.container": await readLives(
      looking,
      "compute",
      "SELECT container_id AS id, created_at FROM containers",
    ),
  };
  for (const reference of REFERENCES) {
    const { service, table, key, source } = reference;
    const rows = (await readReferring(looking, reference)).filter((row) => {
      const life = lives[source].get(row.id);
      return life === undefined || row.made_at.getTime() < life.getTime() - SLACK_MS;
    });
    const keys = rows.map(({ row }) => row);
    await pools[service].query(`DELETE FROM ${table} WHERE ${key} = ANY ($1)`, [keys]);
    if (table !== "containers") continue;
    for (const entry of looking.ledger.containers.values())
      if (keys.includes(entry.id)) entry.deletedByWriter = true;
  }
}

/** Each container that a cascade removed had its hook called. */
export async function checkHooks({ mesh, ledger }: Looking): Promise<readonly Violation[]> {
  const log = await readFile(mesh.clusterLog, "utf8").catch(() => "");
  const called = new Set(log.split("\n"));
  const { rows } = await mesh.databases.pools.compute.query<{ namespace: string }>(
    "SELECT namespace FROM containers",
  );
  const there = new Set(rows.map((row) => row.namespace));
  const missed = [...ledger.containers.values()].filter(
    ({ outcome, deletedByWriter, namespace }) =>
      outcome === "committed" && !deletedByWriter && !there.has(namespace) && !called.has(namespace),
  );
  return violation("hooks", "a container went and its hook was never called", missed);
}
