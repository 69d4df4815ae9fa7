import type pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { recordDeadLetter, redriveDeadLetter } from "../../../runtime/consumer/dead-letters.js";
import { inTransaction } from "../../../runtime/database/transaction.js";
import type { ConsumedEvent, ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { MeshEvent, Validator } from "../../../runtime/definition/event-definition.js";
import type { Handler } from "../../../runtime/definition/hook-definition.js";
import { applyBatch } from "../../../runtime/inbox/apply.js";
import { buildModel } from "../../../runtime/inbox/consumer-model.js";
import { parseMessage } from "../../../runtime/inbox/parse.js";
import type { Change } from "../../../runtime/vocabulary.js";
import { type AnsweringServer, startAnswering } from "../../support/answering-server.js";
import { eventDefinition } from "../../support/event-definition.js";
import { silent } from "../../support/loggers.js";
import { readSnapshot } from "../../support/read-snapshot.js";
import { createPool, createServiceDatabase, deliver, userConsumer } from "../../support/user-consumer.js";

/*
 * Events that a snapshot overtakes: it brings their outcome, so they change nothing when they come. Hooks hear of each once all the
 * same: of an event that the snapshot made from the row, or else of the event itself.
 */

let pool: pg.Pool;
let server: AnsweringServer;
let rows: readonly object[] = [];

beforeAll(async () => {
  pool = createPool(await createServiceDatabase(inject("postgres")));
  server = await startAnswering((_, response) => response.end(JSON.stringify(rows)));
});
afterAll(async () => {
  await server.close();
  await pool.end();
});
beforeEach(async () => {
  await pool.query("INSERT INTO mesh.subscription (durable, stream) VALUES ('compute_auth_user', 'AUTH')");
});
afterEach(async () => {
  await pool.query(
    "TRUNCATE user_cache, containers, calls, mesh.applied, mesh.subscription, mesh.dead_letter, mesh.unheard, mesh.told, mesh.seen",
  );
});

/** By action: the field without which the event is none, of which a row of the source says nothing. */
type Lacking = Readonly<Record<string, string>>;

const needs =
  (field: string | undefined): Validator<MeshEvent> =>
  (data: unknown): data is MeshEvent =>
    field === undefined || (data as Record<string, unknown>)[field] !== undefined;

function consumerOf(
  lacking: Lacking,
  { failing }: { readonly failing?: () => boolean } = {},
): ConsumerDefinition {
  const hook: Handler<MeshEvent> = async ({ event, tx, subject, origin }) => {
    const { version = "-" } = event.metadata;
    await tx.query("INSERT INTO calls (what) VALUES ($1)", [
      `${subject.split(".").at(-1)} ${version} ${origin}`,
    ]);
    if (failing?.() === true) throw new Error("the hook fails");
  };
  const of = (action: string, change: Change): ConsumedEvent<never> => ({
    event: eventDefinition({
      action,
      change,
      fields: ["user_id", "username"],
      validate: needs(lacking[action]),
    }),
    handler: hook as Handler<never>,
  });
  const events = [
    of("created", "create"),
    of("updated", "update"),
    of("paid", "none"),
    of("deleted", "delete"),
  ];
  return { ...userConsumer({ sync: true }), events };
}

const model = (lacking: Lacking) => buildModel(consumerOf(lacking));

/** `seq` is that of the stream's last message when the source is read. */
async function snapshot(lacking: Lacking, seq: number, ...source: readonly object[]): Promise<void> {
  rows = source;
  await readSnapshot({
    pool,
    model: model(lacking),
    env: {
      AUTH_SERVICE_URL: server.url,
      SFS_TO_AUTH_KEY: "k",
    },
    noteSeq: async () => seq,
  });
}

const user = (version: number, first = 1) => ({
  user_id: "a",
  username: `name-${version}`,
  _version: version,
  _first_version: first,
});

const ALL_FIELDS = { origin: "here", former: "before", reason: "why" };

function eventOf(action: string, version: number, seq = version) {
  const sent = { action, id: "a", seq, version, eventId: `${action}-${version}` };
  return deliver({ ...sent, payload: { username: `name-${version}`, ...ALL_FIELDS } });
}

async function hear(lacking: Lacking, ...deliveries: readonly ReturnType<typeof deliver>[]): Promise<void> {
  const context = { pool, model: model(lacking), logger: silent, origin: "event" } as const;
  const events = deliveries.map((delivery) => {
    const parsed = parseMessage(context.model, delivery, delivery.seq);
    if (!parsed.ok) throw new Error(parsed.rejected.reason);
    return parsed.incoming;
  });
  await applyBatch(pool, context, events);
}

async function calls(): Promise<readonly string[]> {
  const { rows: made } = await pool.query<{ what: string }>("SELECT what FROM calls ORDER BY place");
  return made.map(({ what }) => what);
}

async function copy(): Promise<readonly string[]> {
  const { rows: all } = await pool.query<{ username: string }>("SELECT username FROM user_cache");
  return all.map(({ username }) => username);
}

async function leftUnheard(): Promise<number> {
  return (await pool.query("SELECT FROM mesh.unheard UNION ALL SELECT FROM mesh.told")).rowCount ?? 0;
}

const CREATION = { created: "origin" };

it("runs the creation hook when the overtaken creation comes, once, where no row can make its event", async () => {
  await snapshot(CREATION, 9, user(1));
  await snapshot(CREATION, 9, user(1));
  expect([await calls(), await copy()]).toEqual([[], ["name-1"]]);
  await hear(CREATION, eventOf("created", 1));
  await hear(CREATION, eventOf("created", 1));
  await snapshot(CREATION, 9, user(1));
  expect([await calls(), await leftUnheard()]).toEqual([["created 1 event"], 0]);
});

it("leaves a creation that the snapshot told of alone", async () => {
  await snapshot({}, 9, user(2));
  await hear({}, eventOf("created", 1), eventOf("updated", 2));
  expect([await calls(), await leftUnheard()]).toEqual([["created 2 snapshot"], 0]);
});

it("tells replicas that hear of an overtaken creation at the same time apart", async () => {
  await snapshot(CREATION, 9, user(1));
  await Promise.all([1, 2, 3].map(() => hear(CREATION, eventOf("created", 1))));
  expect(await calls()).toEqual(["created 1 event"]);
});

it("runs the hook again whose attempt failed, also from a dead letter", async () => {
  await snapshot(CREATION, 9, user(1));
  let fails = true;
  const definition = consumerOf(CREATION, { failing: () => fails });
  const context = { pool, model: buildModel(definition), logger: silent, origin: "event" } as const;
  const message = eventOf("created", 1);
  const parsed = parseMessage(context.model, message, 1);
  if (!parsed.ok) throw new Error(parsed.rejected.reason);
  await expect(applyBatch(pool, context, [parsed.incoming])).rejects.toThrow("the hook fails");
  const reason = { kind: "attempts-exhausted", error: "the hook fails", attempts: 3 } as const;
  await inTransaction(pool, (client) =>
    recordDeadLetter(client, context.model, { message, seq: 1, reason, entityId: "a" }),
  );
  await hear(CREATION, eventOf("updated", 2));
  fails = false;
  const { rows: letters } = await pool.query<{ id: string }>("SELECT id FROM mesh.dead_letter");
  const redrive = { pool, definition, id: Number(letters[0]?.id), logger: silent };
  expect(await redriveDeadLetter(redrive)).toEqual({ outcome: "applied" });
  expect(await redriveDeadLetter(redrive)).toEqual({ outcome: "stale" });
  expect([await calls(), await copy()]).toEqual([["updated 2 event", "created 1 event"], ["name-2"]]);
});

it("runs the creation hook of a dead letter that was redriven after a later event", async () => {
  await hear(CREATION, eventOf("updated", 2));
  await snapshot(CREATION, 9, user(2));
  await hear(CREATION, eventOf("created", 1));
  await hear(CREATION, eventOf("created", 1));
  expect(await calls()).toEqual(["updated 2 event", "created 1 event"]);
});

it("hears of the present incarnation alone, where a snapshot overtook a re-creation", async () => {
  await snapshot(CREATION, 9, user(5, 4));
  await hear(
    CREATION,
    eventOf("created", 1),
    eventOf("deleted", 3),
    eventOf("created", 4),
    eventOf("updated", 5),
  );
  expect(await calls()).toEqual(["created 4 event", "updated 5 event"]);
});

it("hears of no creation once its entity is deleted", async () => {
  await snapshot(CREATION, 3, user(1));
  await hear(CREATION, eventOf("deleted", 2, 4));
  await hear(CREATION, eventOf("created", 1));
  expect([await calls(), await leftUnheard()]).toEqual([["deleted 2 event"], 0]);
  await hear(CREATION, eventOf("created", 3, 5));
  await hear(CREATION, eventOf("created", 1));
  await snapshot(CREATION, 9);
  expect(await calls()).toEqual(["deleted 2 event", "created 3 event", "deleted - snapshot"]);
});

it("runs the hooks of overtaken updates, in any order, where no row can make their events", async () => {
  const lacking = { updated: "former" };
  await hear(lacking, eventOf("created", 1));
  await snapshot(lacking, 9, user(4));
  await hear(lacking, eventOf("updated", 3));
  await hear(
    lacking,
    eventOf("updated", 2),
    eventOf("updated", 3),
    eventOf("updated", 4),
    eventOf("updated", 4),
  );
  expect(await calls()).toEqual(["created 1 event", "updated 3 event", "updated 2 event", "updated 4 event"]);
  expect([await copy(), await leftUnheard()]).toEqual([["name-4"], 0]);
});

it("runs the hooks of overtaken updates that no row can make, also where the snapshot told of the creation", async () => {
  const lacking = { updated: "former" };
  await snapshot(lacking, 9, user(3));
  await hear(lacking, eventOf("created", 1), eventOf("updated", 2), eventOf("updated", 3));
  await hear(lacking, eventOf("updated", 3));
  expect([await calls(), await leftUnheard()]).toEqual([
    ["created 3 snapshot", "updated 2 event", "updated 3 event"],
    0,
  ]);
});

it("does so where an earlier snapshot could not tell of the creation", async () => {
  await snapshot({ created: "origin", updated: "former" }, 9, user(3));
  await snapshot({ updated: "former" }, 9, user(3));
  await hear({ updated: "former" }, eventOf("created", 1), eventOf("updated", 2), eventOf("updated", 3));
  expect([await calls(), await leftUnheard()]).toEqual([
    ["created 3 snapshot", "updated 2 event", "updated 3 event"],
    0,
  ]);
});

it("runs the hook of what changes nothing, though a snapshot overtook it", async () => {
  await hear({}, eventOf("created", 1));
  await snapshot({}, 9, user(3));
  await hear({}, eventOf("updated", 2), eventOf("paid", 3), eventOf("paid", 3));
  expect(await calls()).toEqual(["created 1 event", "updated 3 snapshot", "paid 3 event"]);
});

it("runs the hook of an overtaken deletion, where the copy cannot make its event", async () => {
  const lacking = { deleted: "reason" };
  await hear(lacking, eventOf("created", 1));
  await snapshot(lacking, 9);
  expect(await copy()).toEqual([]);
  await hear(lacking, eventOf("deleted", 2), eventOf("deleted", 2));
  expect([await calls(), await leftUnheard()]).toEqual([["created 1 event", "deleted 2 event"], 0]);
});

it("runs the hook of a creation after that of the overtaken deletion before it", async () => {
  const lacking = { deleted: "reason" };
  await hear(lacking, eventOf("created", 1));
  await snapshot(lacking, 9, user(3, 3));
  await hear(lacking, eventOf("deleted", 2), eventOf("created", 3));
  expect([await calls(), await copy()]).toEqual([
    ["created 1 event", "deleted 2 event", "created 3 event"],
    ["name-3"],
  ]);
  await snapshot(lacking, 9, user(3, 3));
  expect([(await calls()).length, await leftUnheard()]).toEqual([3, 0]);
});

it("tells of a re-creation with the next snapshot, where the deletion before it never comes", async () => {
  const lacking = { deleted: "reason" };
  await hear(lacking, eventOf("created", 1));
  await snapshot(lacking, 9, user(3, 3));
  await snapshot(lacking, 9, user(3, 3));
  await hear(lacking, eventOf("created", 3));
  expect([await calls(), await leftUnheard()]).toEqual([["created 1 event", "created 3 snapshot"], 0]);
});

it("expects no event of a row that was there before its owner wrote any", async () => {
  await snapshot(CREATION, 9, { ...user(1), _first_version: null });
  expect([await calls(), await leftUnheard()]).toEqual([[], 0]);
});

it("runs the hook of a deletion once, whose event is later than the snapshot that found it", async () => {
  await hear({}, eventOf("created", 1));
  await snapshot({}, 9);
  await hear({}, eventOf("deleted", 2, 12));
  expect(await calls()).toEqual(["created 1 event", "deleted - snapshot"]);
});

describe("of an owner that keeps no versions", () => {
  const row = { user_id: "a", username: "listed" };
  const plain = (action: string, seq: number) =>
    deliver({
      action,
      id: "a",
      seq,
      eventId: `${action}-${seq}`,
      payload: { username: `at-${seq}`, ...ALL_FIELDS },
    });

  it("runs the hook of a creation once, whose event is later than the snapshot that found it", async () => {
    await snapshot({}, 9, row);
    await hear({}, plain("created", 12), plain("updated", 13));
    expect([await calls(), await copy(), await leftUnheard()]).toEqual([
      ["created - snapshot", "updated - event"],
      ["at-13"],
      0,
    ]);
    await hear({}, plain("deleted", 14), plain("created", 15));
    expect((await calls()).slice(2)).toEqual(["deleted - event", "created - event"]);
  });

  it("runs the hook of a deletion once, whose event is later than the snapshot that found it", async () => {
    await hear({}, plain("created", 1));
    await snapshot({}, 9);
    await hear({}, plain("deleted", 12));
    await hear({}, plain("created", 13), plain("deleted", 14));
    expect([await calls(), await leftUnheard()]).toEqual([
      ["created - event", "deleted - snapshot", "created - event", "deleted - event"],
      0,
    ]);
  });

  it("takes the events of several snapshots' findings for told, in their order", async () => {
    await snapshot({}, 9, row);
    await snapshot({}, 9);
    await snapshot({}, 9, row);
    await hear({}, plain("created", 12));
    await hear({}, plain("deleted", 13), plain("created", 14), plain("deleted", 15));
    expect([await calls(), await leftUnheard()]).toEqual([
      ["created - snapshot", "deleted - snapshot", "created - snapshot", "deleted - event"],
      0,
    ]);
  });

  it("takes an event for news whose predecessor was told, and lost", async () => {
    await snapshot({}, 9, row);
    await hear({}, plain("deleted", 12), plain("created", 13));
    expect(await calls()).toEqual(["created - snapshot", "deleted - event", "created - event"]);
  });

  it("runs the creation hook of an event that a later one has overtaken, once", async () => {
    await hear({}, plain("updated", 2));
    await hear({}, plain("created", 1));
    await hear({}, plain("created", 1));
    expect([await calls(), await copy(), await leftUnheard()]).toEqual([
      ["updated - event", "created - event"],
      ["at-2"],
      0,
    ]);
  });

  it("tells of such a creation with the next snapshot, if that comes first", async () => {
    await hear({}, plain("updated", 2));
    await snapshot({}, 9, row);
    await snapshot({}, 9, row);
    await hear({}, plain("created", 1));
    expect(await calls()).toEqual(["updated - event", "created - snapshot"]);
  });

  it("runs the creation hook when the overtaken creation comes, once, where no row can make its event", async () => {
    await snapshot(CREATION, 9, row);
    await snapshot(CREATION, 9, row);
    await hear(CREATION, plain("created", 1));
    await hear(CREATION, plain("created", 1));
    expect([await calls(), await leftUnheard()]).toEqual([["created - event"], 0]);
  });

  it("hears of no creation once its entity is deleted", async () => {
    await hear({}, plain("updated", 2), plain("deleted", 3));
    await hear({}, plain("created", 1));
    expect([await calls(), await leftUnheard()]).toEqual([["updated - event", "deleted - event"], 0]);
  });
});
