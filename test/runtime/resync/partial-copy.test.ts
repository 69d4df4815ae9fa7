import { afterEach, beforeEach, expect, it } from "vitest";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { ColumnDefinition, ConditionDefinition } from "../../../runtime/definition/table-definition.js";
import { verifyCache } from "../../../runtime/operate/verify.js";
import { waitFor } from "../../support/servers.js";
import { type UserHooks, userCache, userConsumer } from "../../support/user-consumer.js";
import { type Copy, openCopy, type SentUser } from "../../support/user-copy.js";

/*
 * A copy that has the rows of which `display_name` is "listed": `where` in mesh.yaml.
 */

let copy: Copy;
beforeEach(async () => {
  copy = await openCopy();
});
afterEach(async () => await copy.close());

interface Choices {
  readonly hooks?: UserHooks;
  /** Columns that an update carries. */
  readonly updates?: readonly string[];
  readonly where?: readonly ConditionDefinition[];
}

const LISTED: readonly ConditionDefinition[] = [{ column: "display_name", values: ["listed"] }];

function partial({
  hooks = {},
  updates = ["user_id", "username", "display_name"],
  where = LISTED,
}: Choices = {}): ConsumerDefinition {
  const consumer = userConsumer({ stream: copy.stream, sync: true, hooks });
  return {
    ...consumer,
    cache: { ...userCache, where },
    events: consumer.events.map((consumed) =>
      consumed.event.change === "update"
        ? { ...consumed, event: { ...consumed.event, fields: updates } }
        : consumed,
    ),
  };
}

/** Its snapshot at the start has ended: a later one is not that one. */
async function started(choices: Choices = {}) {
  const consumer = await copy.start({}, { definition: partial(choices) });
  await consumer.resync();
  return consumer;
}

const listed = (id: string, version: number, more: Partial<SentUser> = {}): SentUser => ({
  id,
  version,
  ...more,
  payload: { display_name: "listed", ...more.payload },
});
const withdrawn = (id: string, version: number, more: Partial<SentUser> = {}): SentUser =>
  listed(id, version, { ...more, payload: { display_name: "withdrawn" } });
const created = { action: "created" };

/** Every event up to here was applied. */
async function settled(id: string, version: number): Promise<void> {
  const at = () =>
    copy.pool.query("SELECT FROM mesh.applied WHERE entity_id = $1 AND version = $2", [id, version]);
  await waitFor(async () => (await at()).rowCount === 1, { what: `${id} at version ${version}` });
}

/** The source has the whole list, and each row of it. */
function serveEach(rows: readonly { readonly user_id: string }[]): void {
  copy.serve((request, response) => {
    const [, id] = /^\/api\/users\/(.+)$/.exec(request.url ?? "") ?? [];
    response.end(JSON.stringify(id === undefined ? rows : rows.find(({ user_id }) => user_id === id)));
  });
}

const verify = (choices: Choices = {}) =>
  verifyCache({
    pool: copy.pool,
    consumer: partial(choices),
    env: { AUTH_SERVICE_URL: copy.sourceUrl, SFS_TO_AUTH_KEY: "k" },
    settleMs: 50,
  });

it("has a row enter when the condition begins to hold, and leave when it ends, as often as that happens", async () => {
  copy.serve([]);
  await started();
  await copy.say(listed("a", 1, created), withdrawn("b", 1, created));
  await settled("b", 1);
  await copy.untilNames({ a: "name-a" });
  await copy.say(withdrawn("a", 2), listed("b", 2));
  await copy.untilNames({ b: "name-b" });
  await copy.say(listed("a", 3, { username: "back" }));
  await copy.untilNames({ a: "back", b: "name-b" });
  await copy.say({ id: "a", action: "deleted", version: 4 });
  await copy.untilNames({ b: "name-b" });
});

it("is not entered again by an older event, a redelivered one, or a late update after the deletion", async () => {
  copy.serve([]);
  await started();
  await copy.say(withdrawn("a", 3));
  await settled("a", 3);
  await copy.say(listed("a", 2), listed("a", 1, created), withdrawn("a", 3));
  await copy.say(listed("probe", 1, created));
  await copy.untilNames({ probe: "name-probe" });

  await copy.say({ id: "b", action: "deleted", version: 5 });
  await settled("b", 5);
  await copy.say(listed("b", 4));
  await copy.say(listed("probe", 2, { username: "second" }));
  await copy.untilNames({ probe: "second" });
});

it("keeps what names an entity that leaves, and cascades when one that is not in the copy is deleted", async () => {
  copy.serve([]);
  const deleted: string[] = [];
  const hooks: UserHooks = {
    async deleted({ event }) {
      deleted.push(event.user_id);
    },
  };
  await started({ hooks });
  await copy.say(listed("a", 1, created));
  await copy.untilNames({ a: "name-a" });
  await copy.pool.query("INSERT INTO ssh_keys VALUES ('k', 'a')");
  await copy.say(withdrawn("a", 2));
  await copy.untilNames({});
  expect((await copy.pool.query("SELECT key_id FROM ssh_keys")).rows).toEqual([{ key_id: "k" }]);
  expect(deleted).toEqual([]);
  await copy.say({ id: "a", action: "deleted", version: 3 });
  await settled("a", 3);
  expect((await copy.pool.query("SELECT FROM ssh_keys")).rowCount).toBe(0);
  expect(deleted).toEqual(["a"]);
});

it("updates a row by an event that does not tell the condition, and makes none by it", async () => {
  copy.serve([]);
  await started({ updates: ["user_id", "username"] });
  await copy.say(listed("a", 1, created), withdrawn("b", 1, created));
  await settled("a", 1);
  await settled("b", 1);
  await copy.say({ id: "a", version: 2, username: "new-a" }, { id: "b", version: 2, username: "new-b" });
  await settled("b", 2);
  await copy.untilNames({ a: "new-a" });
  const { rows } = await copy.pool.query("SELECT snapshot_wanted FROM mesh.subscription");
  expect(rows).toEqual([{ snapshot_wanted: null }]);
});

it("lets the last of several events in one batch decide, and frees the unique values of rows that leave", async () => {
  copy.serve([]);
  const consumer = await started();
  await copy.say(listed("a", 1, { ...created, username: "same" }));
  await copy.untilNames({ a: "same" });
  await consumer.stop();
  for (const said of [
    withdrawn("a", 2, { username: "other" }),
    listed("b", 1, { ...created, username: "same" }),
    withdrawn("b", 2, { username: "same" }),
    listed("b", 3, { username: "same" }),
    listed("c", 1, created),
    withdrawn("c", 2),
  ])
    await copy.say(said);
  copy.serve((_, response) => response.writeHead(503).end());
  await copy.start({}, { definition: partial() });
  await settled("c", 2);
  await copy.untilNames({ b: "same" });
});

it("is healed by a snapshot, which takes no entity outside of the condition for deleted", async () => {
  const element = (user_id: string, display_name: string, _version: number) => ({
    user_id,
    username: `name-${user_id}`,
    display_name,
    _version,
  });
  copy.serve([]);
  const consumer = await started();
  await copy.say(listed("leaves", 1, created), listed("stays", 1, created), withdrawn("enters", 1, created));
  await copy.say(withdrawn("outside", 1, created), listed("gone", 1, created));
  await copy.untilNames({ gone: "name-gone", leaves: "name-leaves", stays: "name-stays" });
  await settled("outside", 1);
  await copy.pool.query(
    "INSERT INTO ssh_keys VALUES ('1', 'leaves'), ('2', 'outside'), ('3', 'gone'), ('4', 'unheard')",
  );
  const rows = [
    element("leaves", "withdrawn", 2),
    element("stays", "listed", 1),
    element("enters", "listed", 2),
    element("outside", "withdrawn", 1),
    element("unheard", "withdrawn", 7),
  ];
  serveEach(rows);
  expect(await verify()).toMatchObject({ rows: 2, missing: 1, extra: 2, differing: 0 });
  await consumer.resync();
  await copy.untilNames({ enters: "name-enters", stays: "name-stays" });
  expect((await copy.pool.query("SELECT user_id FROM ssh_keys ORDER BY 1")).rows).toEqual(
    ["leaves", "outside", "unheard"].map((user_id) => ({ user_id })),
  );
  expect(await verify()).toMatchObject({ rows: 2, missing: 0, extra: 0, differing: 0 });
  // What the snapshot has told of an entity outside makes older events of it stale.
  await copy.say(listed("unheard", 6), listed("leaves", 1));
  await copy.say(listed("stays", 2, { username: "later" }));
  await copy.untilNames({ enters: "name-enters", stays: "later" });
  await copy.say(listed("unheard", 8));
  await copy.untilNames({ enters: "name-enters", stays: "later", unheard: "name-unheard" });
});

it("is not emptied by a source that does not tell the condition", async () => {
  copy.serve([]);
  const consumer = await started();
  await copy.say(listed("a", 1, created));
  await copy.untilNames({ a: "name-a" });
  copy.serve([{ user_id: "a", username: "name-a", _version: 2 }]);
  await expect(consumer.resync()).rejects.toThrow(
    "it has no display_name, which says whether it belongs to this copy",
  );
  expect(await copy.names()).toEqual({ a: "name-a" });
});

it("follows another condition from the next start on", async () => {
  const element = (user_id: string, display_name: string) => ({
    user_id,
    username: user_id,
    display_name,
    _version: 1,
  });
  copy.serve([element("a", "listed"), element("b", "withdrawn")]);
  const first = await started();
  await copy.untilNames({ a: "a" });
  await first.stop();
  const other = { ...userCache, where: [{ column: "display_name", values: ["withdrawn"] }] };
  await copy.start({}, { definition: { ...partial(), cache: other } });
  await copy.untilNames({ b: "b" });
});

it("has the rows of one of several values, and those that leave for a value that is not one of them leave it", async () => {
  const where = [{ column: "display_name", values: ["listed", "reserved"] }];
  copy.serve([]);
  const consumer = await started({ where });
  const reserved = (id: string, version: number) =>
    listed(id, version, { payload: { display_name: "reserved" }, username: `reserved-${id}` });
  await copy.say(listed("a", 1, created), withdrawn("b", 1, created), listed("c", 1, created));
  await copy.untilNames({ a: "name-a", c: "name-c" });
  await copy.say(reserved("a", 2), reserved("b", 2), withdrawn("c", 2));
  await copy.untilNames({ a: "reserved-a", b: "reserved-b" });
  const row = (user_id: string, display_name: string) => ({
    user_id,
    username: `${display_name}-${user_id}`,
    display_name,
    _version: 3,
  });
  serveEach([row("a", "withdrawn"), row("b", "listed"), row("c", "reserved")]);
  expect(await verify({ where })).toMatchObject({ rows: 2, missing: 1, extra: 1 });
  await consumer.resync();
  await copy.untilNames({ b: "listed-b", c: "reserved-c" });
  expect(await verify({ where })).toMatchObject({ rows: 2, missing: 0, extra: 0, differing: 0 });
});

it.each([
  { isNull: true, withValue: {}, withoutValue: { a: "name-a" } },
  { isNull: false, withValue: { a: "name-a" }, withoutValue: {} },
])("has rows by null: $isNull, in events and in snapshots", async ({ isNull, withValue, withoutValue }) => {
  await copy.pool.query(
    "ALTER TABLE user_cache ALTER display_name DROP NOT NULL, ALTER display_name DROP DEFAULT",
  );
  copy.serve([]);
  const where: readonly ConditionDefinition[] = [
    { column: "display_name", isNull, ...(isNull && { absent: true }) },
  ];
  const definition = nullableName(partial({ where }));
  const consumer = await copy.start({}, { definition });
  await consumer.resync();
  const said = (version: number, payload: Readonly<Record<string, unknown>>) =>
    copy.say({ id: "a", version, payload });
  await copy.say({ id: "a", action: "created", version: 1, payload: { display_name: "x" } });
  await settled("a", 1);
  expect(await copy.names()).toEqual(withValue);
  await said(2, { display_name: null });
  await settled("a", 2);
  expect(await copy.names()).toEqual(withoutValue);
  await said(3, { display_name: "" });
  await settled("a", 3);
  expect(await copy.names()).toEqual(withValue);
  // A field that is left out is null.
  await said(4, {});
  await settled("a", 4);
  expect(await copy.names()).toEqual(withoutValue);
  const row = (display_name: string | null, _version: number) => [
    { user_id: "a", username: "name-a", display_name, _version },
  ];
  copy.serve(row("y", 5));
  await consumer.resync();
  expect(await copy.names()).toEqual(withValue);
  copy.serve(row(null, 6));
  await consumer.resync();
  expect(await copy.names()).toEqual(withoutValue);
});

function nullableName(consumer: ConsumerDefinition): ConsumerDefinition {
  const { cache = userCache } = consumer;
  const columns = cache.columns.map(
    (column): ColumnDefinition =>
      column.name === "display_name" ? { name: column.name, type: "text", nullable: true } : column,
  );
  return { ...consumer, cache: { ...cache, columns } };
}
