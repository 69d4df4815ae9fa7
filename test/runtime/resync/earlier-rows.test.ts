import { afterEach, beforeEach, expect, it } from "vitest";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { waitFor } from "../../support/servers.js";
import { userConsumer } from "../../support/user-consumer.js";

/*
 * Rows that an owner had before the mesh: copied, and no creation hook hears of any of them, unless the owner says that
 * their lives begin with the mesh: then of all.
 */

let rig: Rig;
beforeEach(async () => {
  rig = await openRig();
});
afterEach(() => rig.close());

async function hooksFor(born: number | null): Promise<readonly string[]> {
  const seen: string[] = [];
  const note =
    (what: string) =>
    async ({ event }: { readonly event: { readonly username: string } }) => {
      seen.push(`${what} ${event.username}`);
    };
  const names = Array.from({ length: 20 }, (_, n) => `u${n}`);
  rig.source = names.map((id) => ({ user_id: id, username: id, _version: 1, _first_version: born }));
  const hooks = { created: note("created"), updated: note("updated"), deleted: note("deleted") };
  const consumer = await rig.start(userConsumer({ stream: rig.stream, hooks, sync: true }));
  await waitFor(() => consumer.stats().lastSnapshot !== undefined, { what: "the first snapshot" });
  await consumer.resync();
  const { rows } = await rig.pool.query("SELECT count(*)::integer FROM user_cache");
  expect(rows).toEqual([{ count: names.length }]);
  await rig.say({ id: "u3", action: "updated", version: 2, payload: { username: "later" } });
  await waitFor(() => seen.includes("updated later"), { what: "the first event of an earlier row" });
  return seen;
}

it("copies rows from before the mesh without a creation hook, and hears of their later events", async () => {
  expect(await hooksFor(null)).toEqual(["updated later"]);
});

it("calls the creation hook for every row from before where their lives begin with the mesh", async () => {
  const seen = await hooksFor(1);
  expect(seen.filter((line) => line.startsWith("created"))).toHaveLength(20);
});

it("calls it also for a row that was updated before the first snapshot", async () => {
  const seen: string[] = [];
  const hooks = {
    created: async () => void seen.push("created"),
    updated: async () => void seen.push("updated"),
  };
  const consumer = await rig.start(userConsumer({ stream: rig.stream, hooks, sync: true }));
  await rig.say({ id: "u1", action: "updated", version: 2, payload: { username: "later" } });
  await waitFor(() => seen.length > 0, { what: "the first event" });
  rig.source = [{ user_id: "u1", username: "later", _version: 2, _first_version: 1 }];
  await waitFor(() => consumer.stats().lastSnapshot !== undefined, { what: "the first snapshot" });
  await consumer.resync();
  expect(seen).toEqual(["updated", "created"]);
});
