import { factsOf } from "@meshwright/runtime/column-types";
import { idSql, livingRows, relationOf } from "@meshwright/runtime/simulation";
import { escapeLiteral, escapeIdentifier as quote } from "pg";
import { holdingSql } from "./caches.js";
import type { OwnedTable, TimedEvent } from "./mesh.js";
import type { Outcome } from "./world.js";

/*
 * Events at a time. Triggers of the rows' tables and of the outbox write one log: which moment a row holds from here on, and when it
 * was told of. `mesh.moment` is not read: what it lost would be lost here, too.
 */

/** Begins the log of the table's rows. Not of rows that name another entity: which of them an event tells of, it does not say. */
export async function observeMoments(owned: OwnedTable, events: readonly TimedEvent[]): Promise<void> {
  const { database } = owned.service;
  for (const [index, timed] of events.filter(({ ofRow }) => ofRow).entries()) {
    const name = `${quote(`log moments ${index}`)}`;
    const [event, id] = [escapeLiteral(timed.event), idSql(owned.key, '"$row"')];
    const relation = relationOf(owned.table);
    const logger = `mesh_sim.${quote(`moments ${timed.event}`.slice(0, 60))}`;
    await database.query(`CREATE FUNCTION ${logger}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF TG_OP = 'DELETE' THEN
    INSERT INTO mesh_sim."$moment" (event, entity_id) SELECT ${event}, ${id} FROM (SELECT OLD.*) AS "$row";
  ELSE
    INSERT INTO mesh_sim."$moment" (event, entity_id, at, means)
    SELECT ${event}, ${id}, ${momentSql(owned, timed)}, ${meansSql(owned, timed)} FROM (SELECT NEW.*) AS "$row";
  END IF;
  RETURN NULL;
END $$`);
    await database.query(
      `CREATE TRIGGER ${name} AFTER INSERT OR UPDATE OR DELETE ON ${relation} FOR EACH ROW EXECUTE FUNCTION ${logger}()`,
    );
    await database.query(`CREATE TRIGGER ${quote(`told ${timed.event}`.slice(0, 60))} AFTER INSERT ON mesh.outbox FOR EACH ROW
WHEN (NEW.entity || '.' || substring(NEW.subject FROM '[^.]*$') = ${event}) EXECUTE FUNCTION mesh_sim.remember_told()`);
  }
}

/** NULL where the row is softly deleted. Without a time zone in UTC; of a day its midnight. */
function momentSql({ table }: OwnedTable, { at }: TimedEvent): string {
  const { zoned } = factsOf(table.columns.find(({ name }) => name === at)?.type ?? "timestamptz");
  const cell = `"$row".${quote(at)}`;
  const moment = zoned ? cell : `${cell}::timestamp AT TIME ZONE 'UTC'`;
  return `CASE WHEN ${["true", ...livingRows(table, '"$row"')].join(" AND ")} THEN ${moment} END`;
}

function meansSql({ table }: OwnedTable, { when, unless }: TimedEvent): string {
  const holds = (said: TimedEvent["when"]) => `(${holdingSql(said, table, ({ name }) => name)}) IS TRUE`;
  return [holds(when), ...(unless.length === 0 ? [] : [`NOT (${holds(unless)})`])].join(" AND ");
}

interface Logged {
  readonly event: string;
  readonly id: string;
  /** Of a moment that was told: when. */
  readonly at: number | null;
  readonly means: boolean;
  readonly told: boolean;
}

/** A moment, from the write that brought it to the one that changed it. */
interface Held {
  readonly at: number;
  /** The row means the event: now, and all the time. */
  readonly means: boolean;
  readonly always: boolean;
  readonly told: number;
}

/**
 * An event at a time is told of a moment that has come, that its row holds, while the row means it, and once; and none is left out
 * that has come by now and whose row meant it all the time.
 */
export async function checkMoments({ world }: Outcome): Promise<readonly string[]> {
  // One that is set back while a worker waits for a lock would seem to be before the moment.
  const clocksStand = !world.plan.faults.some(({ kind }) => kind === "clock");
  const found: string[] = [];
  for (const { database } of world.mesh.services) {
    const log = await database.query<Logged>(
      `SELECT event, entity_id AS id, (1000 * extract(epoch FROM at))::double precision AS at, means, told FROM mesh_sim."$moment" ORDER BY ordinal`,
    );
    const [clock] = await database.query<{ now: number }>(
      'SELECT (1000 * extract(epoch FROM now))::double precision AS now FROM mesh_sim."$clock"',
    );
    const rows = new Map<string, Held | undefined>();
    for (const { event, id, at, means, told } of log) {
      const row = `${event} of ${JSON.stringify(id)}`;
      const held = rows.get(row);
      if (told) {
        const wrong =
          held === undefined ? "holds no moment" : wrongIn(held, clocksStand ? (at ?? 0) : held.at);
        if (wrong !== undefined) found.push(`${row} was told, and its row ${wrong}`);
        if (held !== undefined) rows.set(row, { ...held, told: held.told + 1 });
      } else if (at === null) rows.set(row, undefined);
      else if (held?.at === at) rows.set(row, { ...held, means, always: held.always && means });
      else rows.set(row, { at, means, always: means, told: 0 });
    }
    for (const [row, held] of rows)
      if (held?.always === true && held.told === 0 && held.at <= (clock?.now ?? 0))
        found.push(`${row} was never told, and its moment has come`);
  }
  return found;
}

function wrongIn({ at, means, told }: Held, now: number): string | undefined {
  if (at > now) return "holds a later moment";
  if (!means) return "does not mean it";
  return told > 0 ? "was told of before" : undefined;
}
