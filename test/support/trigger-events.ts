import type pg from "pg";
import type { compile } from "./compile.js";
import { openDatabase, plan, type TestDatabase } from "./migrations.js";

/** A database with the tables and triggers of one service of a mesh. */
export async function openService(
  adminUrl: string,
  mesh: ReturnType<typeof compile>,
  service = "shop",
): Promise<TestDatabase> {
  return await openDatabase(adminUrl, plan(mesh).files[service] ?? []);
}

export interface Written {
  readonly seq: number;
  readonly subject: string;
  readonly entity: string;
  readonly entity_id: string;
  readonly version: number;
  readonly event_id: string;
  /** The JSON as text: order of keys and form of numbers matter. */
  readonly body: string;
}

/** Takes the outbox's events, in the order of publishing. */
export async function takeEvents(client: pg.Client): Promise<readonly Written[]> {
  const { rows } = await client.query(
    "SELECT seq::int, subject, entity, entity_id, version::int, event_id, body FROM mesh.outbox ORDER BY seq",
  );
  await client.query("DELETE FROM mesh.outbox");
  return rows;
}

/** `created u1 v1`: action, id and version of each event. */
export function brief(events: readonly Written[]): readonly string[] {
  return events.map((event) => `${event.subject.split(".").at(-1)} ${event.entity_id} v${event.version}`);
}
