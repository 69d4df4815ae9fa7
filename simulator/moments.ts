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

/** Begins the log of the table's rows. */
export async function observeMoments(owned: OwnedTable, events: readonly TimedEvent[]): Promise<void> {
  const { database } = owned.service;
  for (const [index, timed] of events.entries()) {
    const name = `${quote(`log moments ${index}`)}`;
    const [event, row] = [escapeLiteral(timed.event), idSql(owned.key, '"$row"')];
    const id = timed.id === undefined ? row : `coalesce("$row".${quote(timed.id)}::text, '')`;
    const relation = relationOf(owned.table);
    const logger = `mesh__sim.${quote(`moments ${timed.event}`.slice(0, 60))}`;
    await database.query(`CREATE FUNCTION ${logger}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF TG_OP = 'DELETE' THEN
    INSERT INTO mesh__sim."$moment" (event, entity_id, row_id) SELECT ${event}, ${id}, ${row} FROM (SELECT OLD.*) AS "$row";
  ELSE
    INSERT INTO mesh__sim."$moment" (event, entity_id, row_id, at, means)
    SELECT ${event}, ${id}, ${row}, ${momentSql(owned, timed)}, ${meansSql(owned, timed)} FROM (SELECT NEW.*) AS "$row";
  END IF;
  RETURN NULL;
END $$`);
    await database.query(
      `CREATE TRIGGER ${name} AFTER INSERT OR UPDATE OR DELETE ON ${relation} FOR EACH ROW EXECUTE FUNCTION ${logger}()`,
    );
    await database.query(`CREATE TRIGGER ${quote(`told ${timed.event}`.slice(0, 60))} AFTER INSERT ON mesh.outbox FOR EACH ROW
WHEN (NEW.entity || '.' || substring(NEW.subject FROM '[^.]*$') = ${event}) EXECUTE FUNCTION mesh__sim.remember_told()`);
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
  /** Of the entity. */
  readonly id: string;
  /** Of the row; null of a moment that was told. */
  readonly row: string | null;
  /** Of a moment that was told: when. */
  readonly at: number | null;
  readonly means: boolean;
  readonly told: boolean;
}

/** A moment, from the write that brought it to the one that changed it. */
interface Held {
  readonly id: string;
  readonly at: number;
  /** The row means the event: now, and all the time. */
  readonly means: boolean;
  readonly always: boolean;
  readonly told: number;
}

/**
 * An event at a time is told of a moment that has come, that its row holds, while the row means it, and once; and none is left out
 * that has come by now and whose row meant it all the time. Of rows that name another entity the event does not say which row it is
 * told of: there it is counted.
 */
export async function checkMoments({ world }: Outcome): Promise<readonly string[]> {
  // One that is set back while a worker waits for a lock would seem to be before the moment.
  const clocksStand = !world.plan.faults.some(({ kind }) => kind === "clock");
  const found: string[] = [];
  for (const { database, definition } of world.mesh.services) {
    const log = await database.query<Logged>(
      `SELECT event, entity_id AS id, row_id AS row, (1000 * extract(epoch FROM at))::double precision AS at, means, told
FROM mesh__sim."$moment" WHERE split_part(event, '.', 1) = $1 ORDER BY ordinal`,
      [definition.name],
    );
    const [clock] = await database.query<{ now: number }>(
      'SELECT (1000 * extract(epoch FROM now))::double precision AS now FROM mesh__sim."$clock"',
    );
    const now = clock?.now ?? 0;
    for (const event of new Set(log.map((line) => line.event))) {
      const lines = log.filter((line) => line.event === event);
      // The id of an entity is that of its row, or a value of another column.
      const ofRows = lines.every(({ id, row }) => row === null || row === id);
      found.push(
        ...(ofRows
          ? checkRows(event, lines, { now, clocksStand })
          : countMoments(event, lines, { now, clocksStand })),
      );
    }
  }
  return found;
}

interface Clock {
  /** When the schedule ended. */
  readonly now: number;
  readonly clocksStand: boolean;
}

function checkRows(event: string, log: readonly Logged[], { now, clocksStand }: Clock): readonly string[] {
  const found: string[] = [];
  const rows = new Map<string, Held | undefined>();
  for (const { id, at, means, told } of log) {
    const row = `${event} of ${JSON.stringify(id)}`;
    const held = rows.get(row);
    if (told) {
      const wrong = held === undefined ? "holds no moment" : wrongIn(held, clocksStand ? (at ?? 0) : held.at);
      if (wrong !== undefined) found.push(`${row} was told, and its row ${wrong}`);
      if (held !== undefined) rows.set(row, { ...held, told: held.told + 1 });
    } else rows.set(row, nextHeld(held, { id, at, means }));
  }
  for (const [row, held] of rows)
    if (held?.always === true && held.told === 0 && held.at <= now)
      found.push(`${row} was never told, and its moment has come`);
  return found;
}

function nextHeld(
  held: Held | undefined,
  { id, at, means }: Pick<Logged, "id" | "at" | "means">,
): Held | undefined {
  if (at === null) return undefined;
  if (held?.at !== at) return { id, at, means, always: means, told: 0 };
  // A row that names another entity now may have been told of as it was.
  if (held.id !== id) return { id, at, means, always: false, told: 0 };
  return { ...held, means, always: held.always && means };
}

/**
 * By entity: at each time told at most as often as its rows had held moments that had come and that they meant, and by the end at least
 * as often as they hold such moments and meant them all the time.
 */
function countMoments(event: string, log: readonly Logged[], { now, clocksStand }: Clock): readonly string[] {
  const found: string[] = [];
  const told = new Map<string, number>();
  const due = new Map<string, number>();
  const count = (counts: Map<string, number>, id: string) => counts.set(id, (counts.get(id) ?? 0) + 1);
  const about = (id: string) => `${event} of ${JSON.stringify(id)} was told ${told.get(id) ?? 0} times`;
  const rows = new Map<string, Held | undefined>();
  const meant = new Map<string, readonly number[]>();
  const counted = new Set<Held>();
  for (const line of log) {
    if (line.row === null) {
      count(told, line.id);
      const by = clocksStand ? (line.at ?? now) : now;
      const come = (meant.get(line.id) ?? []).filter((at) => at <= by).length;
      if ((told.get(line.id) ?? 0) > come)
        found.push(`${about(line.id)}, and its rows had held ${come} moments that had come`);
      continue;
    }
    const before = rows.get(line.row);
    const held = nextHeld(before, line);
    rows.set(line.row, held);
    if (held === undefined) continue;
    const isCounted =
      before !== undefined && counted.has(before) && before.at === held.at && before.id === held.id;
    if (!isCounted && held.means) meant.set(held.id, [...(meant.get(held.id) ?? []), held.at]);
    if (isCounted || held.means) counted.add(held);
  }
  for (const held of rows.values())
    if (held?.always === true && held.at <= now && held.id !== "") count(due, held.id);
  for (const [id, least] of due)
    if ((told.get(id) ?? 0) < least)
      found.push(`${about(id)}, and its rows hold ${least} moments that have come`);
  return found;
}

function wrongIn({ at, means, told }: Held, now: number): string | undefined {
  if (at > now) return "holds a later moment";
  if (!means) return "does not mean it";
  return told > 0 ? "was told of before" : undefined;
}
