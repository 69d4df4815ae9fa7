import { readFile } from "node:fs/promises";
import type { ServiceName } from "../project.js";
import { type OracleInput, type Violation, violation } from "./violation.js";

interface Reference {
  readonly service: ServiceName;
  readonly table: string;
  readonly key: string;
  readonly column: string;
  readonly entity: "auth.user" | "compute.container";
}

const REFERENCES: readonly Reference[] = [
  { service: "sfs", table: "namespaces", key: "namespace_id", column: "owner_id", entity: "auth.user" },
  { service: "sfs", table: "files", key: "file_id", column: "uploader_id", entity: "auth.user" },
  { service: "compute", table: "containers", key: "container_id", column: "user_id", entity: "auth.user" },
  { service: "compute", table: "ssh_keys", key: "key_id", column: "user_id", entity: "auth.user" },
  {
    service: "gateway",
    table: "routes",
    key: "route_id",
    column: "container_id",
    entity: "compute.container",
  },
  {
    service: "gateway",
    table: "ingress_rules",
    key: "rule_id",
    column: "container_id",
    entity: "compute.container",
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
  /** An event or snapshot of the entity had been applied when the row was inserted. */
  readonly known: boolean;
  /** When a snapshot was the first to contain the entity; null if an event came first. */
  readonly snapshot_at: Date | null;
}

/** Clock difference in ms that is tolerated between a row and what it refers to. */
const SLACK_MS = 1_000;

/** No row refers to a deleted entity, nor to an earlier incarnation of the same id. */
export async function checkCascades(input: OracleInput): Promise<readonly Violation[]> {
  const createdAt = {
    "auth.user": await readCreationTimes(input, "auth", "SELECT user_id AS id, created_at FROM users"),
    "compute.container": await readCreationTimes(
      input,
      "compute",
      "SELECT container_id AS id, created_at FROM containers",
    ),
  };
  const found: Violation[] = [];
  for (const reference of REFERENCES) {
    const { service, table, column, entity } = reference;
    const referring = await readReferring(input, reference);
    const stray = referring.filter(
      (row) => !createdAt[entity].has(row.id) && !wasNeverKnown(input, reference, row),
    );
    const outlived = referring.filter((row) => {
      const created = createdAt[entity].get(row.id);
      const isOlder = created !== undefined && row.made_at.getTime() < created.getTime() - SLACK_MS;
      if (!isOlder || row.known) return isOlder;
      // A snapshot that was read while the broker was down may be incarnations ahead of the stream.
      const wasInSnapshotSince = row.snapshot_at !== null && row.snapshot_at.getTime() >= created.getTime();
      return !wasInSnapshotSince && !mayHaveBeenForgotten(input, reference);
    });
    // Without a cache a snapshot has ids only, and cannot tell incarnations apart.
    const gap = service === "gateway" && lostForGateway(input) ? "incarnations without a cache" : undefined;
    found.push(
      ...violation("cascades", `${service}.${table}.${column} refers to a deleted entity`, stray),
      ...violation(
        "cascades",
        `${service}.${table}.${column}: the row refers to an earlier incarnation`,
        await Promise.all(
          outlived.map((row) =>
            explain(input, reference, { ...row, created_at: createdAt[entity].get(row.id) }),
          ),
        ),
        gap,
      ).map((one) => ({ ...one, final: true as const })),
    );
  }
  return found;
}

/** Adds what the service knew of the entity, and when. */
async function explain<T extends Referring>(
  { mesh }: OracleInput,
  { service, entity }: Reference,
  row: T,
): Promise<T & { readonly history: readonly string[] }> {
  const history = await mesh.databases.history(service, entity, row.id);
  return { ...row, history: history.map((state) => Object.values(state).join(" ")) };
}

async function readCreationTimes({ mesh }: OracleInput, service: ServiceName, sql: string) {
  const { rows } = await mesh.databases.pools[service].query<{ id: string; created_at: Date }>(sql);
  return new Map(rows.map((row) => [row.id, row.created_at]));
}

async function readReferring({ mesh }: OracleInput, reference: Reference): Promise<readonly Referring[]> {
  const { service, table, key, column, entity } = reference;
  const { rows } = await mesh.databases.pools[service].query<Referring>(
    `SELECT ${key} AS row, ${column} AS id, created_at AS made_at, version, versioned, deleted, stream_seq,
     EXISTS (SELECT FROM chaos_history AS state WHERE state.entity = $1 AND state.entity_id = ${column}
       AND state.at AT TIME ZONE 'UTC' <= created_at AND (state.version IS NOT NULL OR state.stream_seq IS NOT NULL)) AS known,
     (SELECT first.at FROM (SELECT at, stream_seq FROM chaos_history WHERE entity = $1 AND entity_id = ${column}
       AND version IS NOT NULL ORDER BY at LIMIT 1) AS first
       WHERE EXISTS (SELECT FROM chaos_history AS other WHERE other.entity = $1 AND other.entity_id <> ${column}
         AND other.stream_seq = first.stream_seq)) AS snapshot_at
     FROM ${table} LEFT JOIN mesh.applied ON entity = $1 AND entity_id = ${column} WHERE ${column} IS NOT NULL`,
    [entity],
  );
  return rows;
}

/**
 * The entity's events were lost, or a backup was restored, before the row referred to it: this service never knew of
 * anything that could be deleted. `mesh verify` finds such rows.
 */
function wasNeverKnown(
  input: OracleInput,
  reference: Reference,
  { version, stream_seq }: Referring,
): boolean {
  return mayHaveBeenForgotten(input, reference) && version === null && stream_seq === null;
}

/** The owner's or this service's database was restored, or the stream lost messages, in this run. */
function mayHaveBeenForgotten({ memory }: OracleInput, { entity, service }: Reference): boolean {
  const owner = entity === "auth.user" ? "auth" : "compute";
  const { everRestored, everLost } = memory;
  return everRestored.has(owner) || everRestored.has(service) || everLost.has(owner.toUpperCase());
}

function lostForGateway({ facts }: OracleInput): boolean {
  return facts.lostMessages.has("COMPUTE") || facts.restored.has("compute") || facts.restored.has("gateway");
}

/** Deletes the rows that a violation left, so that later rounds do not report them again. */
export async function removeOutlivedRows(input: OracleInput): Promise<void> {
  const { pools } = input.mesh.databases;
  const createdAt = {
    "auth.user": await readCreationTimes(input, "auth", "SELECT user_id AS id, created_at FROM users"),
    "compute.container": await readCreationTimes(
      input,
      "compute",
      "SELECT container_id AS id, created_at FROM containers",
    ),
  };
  for (const reference of REFERENCES) {
    const { service, table, key, entity } = reference;
    const rows = (await readReferring(input, reference)).filter((row) => {
      const created = createdAt[entity].get(row.id);
      return created === undefined || row.made_at.getTime() < created.getTime() - SLACK_MS;
    });
    const keys = rows.map(({ row }) => row);
    await pools[service].query(`DELETE FROM ${table} WHERE ${key} = ANY ($1)`, [keys]);
    if (table !== "containers") continue;
    for (const entry of input.writeLog.containers.values())
      if (keys.includes(entry.id)) entry.deletedByWriter = true;
  }
}

/** The hook was called for each container that a cascade removed. */
export async function checkHooks({ mesh, writeLog }: OracleInput): Promise<readonly Violation[]> {
  const log = await readFile(mesh.clusterLog, "utf8").catch(() => "");
  const called = new Set(log.split("\n"));
  const { rows } = await mesh.databases.pools.compute.query<{ namespace: string }>(
    "SELECT namespace FROM containers",
  );
  const there = new Set(rows.map((row) => row.namespace));
  const missed = [...writeLog.containers.values()].filter(
    ({ outcome, deletedByWriter, namespace }) =>
      outcome === "committed" && !deletedByWriter && !there.has(namespace) && !called.has(namespace),
  );
  return violation("hooks", "a container was removed and its hook was never called", missed);
}
