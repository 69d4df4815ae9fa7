import { afterAll, beforeAll, expect, it } from "vitest";
import { verifyCache } from "../../../runtime/operate/verify.js";
import { userCache, userConsumer } from "../../support/user-consumer.js";
import { type Copy, openCopy } from "../../support/user-copy.js";

/*
 * Columns of a copy that only hooks fill: `local: true`.
 */

let copy: Copy;
beforeAll(async () => {
  copy = await openCopy();
  await copy.pool.query(
    "ALTER TABLE user_cache ADD COLUMN note TEXT, ADD COLUMN badge TEXT NOT NULL DEFAULT 'none'",
  );
});
afterAll(async () => await copy.close());
const columns = [
  ...userCache.columns,
  { name: "note", type: "text", nullable: true, local: true },
  { name: "badge", type: "text", defaulted: true, local: true },
] as const;

const definition = () => ({
  ...userConsumer({
    stream: copy.stream,
    sync: true,
    hooks: {
      async created({ event, tx }) {
        await tx.query("UPDATE user_cache SET note = $2 WHERE user_id = $1", [event.user_id, "hook"]);
      },
    },
  }),
  cache: { ...userCache, columns },
});

async function rows(): Promise<readonly object[]> {
  const { rows } = await copy.pool.query(
    "SELECT user_id, username, note, badge FROM user_cache ORDER BY user_id",
  );
  return rows;
}

it("leaves local columns to hooks: neither events nor snapshots touch them, and verify says that it does not compare them", async () => {
  const source = [
    { user_id: "a", username: "a1", note: "of the source", badge: "of the source", _version: 1 },
  ];
  copy.serve(source);
  const consumer = await copy.start({}, { definition: definition() });
  // Its snapshot at the start has ended: a later one is not that one.
  await consumer.resync();
  await copy.say({ id: "a", action: "created", version: 1, username: "a1" });
  await copy.untilNames({ a: "a1" });
  expect(await rows()).toEqual([{ user_id: "a", username: "a1", note: "hook", badge: "none" }]);

  await copy.pool.query("UPDATE user_cache SET badge = 'gold'");
  await copy.say({ id: "a", version: 2, username: "a2" });
  await copy.untilNames({ a: "a2" });
  expect(await rows()).toEqual([{ user_id: "a", username: "a2", note: "hook", badge: "gold" }]);

  copy.serve([{ ...source[0], username: "a3", _version: 3 }]);
  await consumer.resync();
  expect(await rows()).toEqual([{ user_id: "a", username: "a3", note: "hook", badge: "gold" }]);

  const found = await verifyCache({
    pool: copy.pool,
    consumer: definition(),
    env: { AUTH_SERVICE_URL: copy.sourceUrl, SFS_TO_AUTH_KEY: "k" },
  });
  expect(found).toMatchObject({
    missing: 0,
    extra: 0,
    differing: 0,
    columns: ["user_id", "username", "display_name"],
    uncompared: ["synced_at", "note", "badge"],
  });

  await copy.say({ id: "a", action: "deleted", version: 4 });
  await copy.untilNames({});
  await copy.say({ id: "a", action: "created", version: 5, username: "a5" });
  await copy.untilNames({ a: "a5" });
  expect(await rows(), "a row that is made anew").toEqual([
    { user_id: "a", username: "a5", note: "hook", badge: "none" },
  ]);
});
